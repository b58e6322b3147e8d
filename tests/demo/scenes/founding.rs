//! Three people register and sign the one document that says who they are.

use crate::failure::Failure;
use crate::stage::{Stage, TENANT, Who, text};

/// A founder's name and, where they are more than everybody's, roles: Grace answers for the repository's key.
fn invited(who: Who) -> String {
    let roles = if who == Who::Grace {
        ":approver,change_board,key_owner,platform_admin,security_reviewer"
    } else {
        ""
    };
    format!("{}{roles}", who.name())
}

/// Opens the tenant and founds it. Each founder writes down what verifiers will start from.
pub(crate) fn found(stage: &Stage) -> Result<(String, ()), Failure> {
    let tickets = stage.place().private("tickets");
    let mut open = vec!["tenant".into(), "open".into(), TENANT.into(), "--out".into(), tickets.clone()];
    open.extend(Who::FOUNDERS.iter().flat_map(|who| ["--founder".into(), invited(*who).into()]));
    let opened = stage.ask(Who::Operator, open)?;

    let ticket = |at: usize| tickets.join(format!("{TENANT}-founder-{}.ticket", at + 1));
    for (at, who) in Who::FOUNDERS.into_iter().enumerate() {
        stage.create_authenticator(who)?;
        let register = ["founding".into(), "register".into(), "--ticket-file".into(), ticket(at)];
        stage.ask(who, register)?;
    }
    let mut state = String::new();
    for (at, who) in Who::FOUNDERS.into_iter().enumerate() {
        let sign = ["founding", "sign", "--yes", "--ticket-file"].map(Into::into).into_iter();
        let pins = ["--pin".into(), stage.place().public("")];
        let signed = stage.ask(who, sign.chain([ticket(at)]).chain(pins))?;
        if text(&signed, "vkey")? != text(&opened, "vkey")? {
            return Err(Failure::Unexpected("a founder was shown another ledger key".to_owned()));
        }
        state = text(&signed, "state")?;
    }
    if state != "founded" {
        return Err(Failure::Unexpected(format!("all have signed, and the ledger is {state}")));
    }
    Ok((format!("{TENANT} is founded: Ada, Grace and Alan signed its document"), ()))
}
