//! Ledgers to begin with, each founded by other people under another policy.

use sealbook_ledger::action::HeadRef;
use sealbook_ledger::algorithm::Algorithm;
use sealbook_ledger::encoding::B64;
use sealbook_ledger::ids::MemberId;
use sealbook_ledger::policy::{Clause, LedgerPolicy, Role};
use sealbook_ledger::state::State;
use sealbook_ledger::timestamp::Timestamp;

use crate::model::Model;
use crate::support::{DECIDING, Ledger, Person, ordinary, spki};

/// Somebody with authenticators, enrolled or not.
pub struct Human {
    pub id: MemberId,
    pub keys: Vec<Person>,
}

/// A founded ledger with a slot and a service, and everybody who may ever have to do with it.
pub struct Cast {
    pub state: State,
    pub clock: Timestamp,
    pub head: HeadRef,
    pub humans: Vec<Human>,
    pub ids: u128,
    pub model: Model,
    /// Keys that devices will have made.
    pub spki: Vec<B64>,
}

impl Cast {
    pub fn all() -> Vec<Self> {
        let deciding = |n: usize| vec![DECIDING.to_vec(); n];
        let apart = vec![
            vec![Role::PlatformAdmin, Role::KeyOwner],
            vec![Role::PlatformAdmin],
            vec![Role::SecurityReviewer],
            vec![Role::SecurityReviewer, Role::Approver],
            vec![Role::Approver],
            vec![Role::Approver],
            vec![Role::ChangeBoard],
            vec![Role::ChangeBoard, Role::Approver],
            vec![Role::IncidentCommander],
            vec![Role::PackagingEngineer],
        ];
        let three = |policy: &mut LedgerPolicy| {
            let seat = |role| Clause { count: 1, role };
            let quorum = [Role::Approver, Role::SecurityReviewer, Role::PlatformAdmin].map(seat);
            ordinary(policy).for_each(|rule| rule.quorum = quorum.to_vec());
        };
        vec![
            Self::founded(deciding(2), false, |_| {}),
            Self::founded(deciding(3), false, |_| {}),
            Self::founded(deciding(4), true, |_| {}),
            Self::founded(deciding(5), true, three),
            Self::founded(apart, false, |_| {}),
        ]
    }

    fn founded(roles: Vec<Vec<Role>>, guarded: bool, change: impl FnOnce(&mut LedgerPolicy)) -> Self {
        let sealed = (0..2).map(|_| vec![Role::Recovery]);
        let by_hand = roles[0].len() < DECIDING.len();
        let mut ledger = Ledger::founded_as("acme", roles.into_iter().chain(sealed).collect(), change);
        if !by_hand {
            match guarded {
                true => ledger.guarded_slot("s0", Algorithm::EcdsaP256Sha256),
                false => ledger.slot("s0", Algorithm::EcdsaP256Sha256),
            };
            ledger.service(&["s0"]);
        }
        let mut model = Model::default();
        for one in &ledger.history {
            model.see(&one.bytes).unwrap();
        }
        let mut humans: Vec<Human> = std::mem::take(&mut ledger.people)
            .into_iter()
            .map(|one| Human { id: one.id, keys: vec![one] })
            .collect();
        // Those who may join, and second authenticators for all.
        humans.extend((0..4).map(|n| {
            let person = Person::new(500 + n);
            Human { id: person.id, keys: vec![person] }
        }));
        humans.iter_mut().for_each(|human| human.keys.push(Person::new(900)));
        Self {
            head: ledger.now().latest_head().unwrap(),
            state: ledger.state.clone(),
            clock: ledger.clock,
            humans,
            ids: ledger.ids + 100,
            model,
            spki: (0..6).map(|n| spki(Algorithm::EcdsaP256Sha256, n)).collect(),
        }
    }
}
