//! Pages keep up with the ledger by themselves.

use integration::tenant::signing_policy;
use integration::{Server, Tenant};

use crate::support::walk;

#[test]
fn what_somebody_proposes_appears_before_somebody_elses_eyes() {
    let server = Server::shared();
    let tenant = Tenant::founded(&server, 2);
    walk("live", |[ben]| {
        ben.reads_as(tenant.person(1));
        ben.visits(&server, &tenant, "/inbox");
        ben.sees("Nothing waits for you");
        // A page that is loaded again forgets this.
        ben.run("window.stays = true", &[]);

        let params = tenant.slot_params("apt-repo", "ed25519", &signing_policy());
        let action =
            tenant.propose(tenant.person(0), "platform_admin", "slot.create", &params).expect(201).json();
        ben.sees("apt-repo");
        ben.sees("1 waiting for you");
        ben.sees("This page has changed");
        ben.snap("it-waits");

        tenant.decide(tenant.person(1), "approver", "approve", &action).expect(200);
        ben.sees_no_more("apt-repo");
        assert_eq!(ben.run("return window.stays", &[]), true);
    });
}
