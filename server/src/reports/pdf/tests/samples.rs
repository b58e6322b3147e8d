//! Documents like those that are handed over, and one that nobody would.

use sealbook_ledger::encoding::Hash;
use sealbook_ledger::timestamp::Timestamp;

use crate::reports::document::{
    Block, Check, Code, Column, Document, Foot, Mark, Scale, Signature, Span, Status, Table, Value,
    Verification,
};

fn words(text: &str) -> Value {
    Value::Words(text.to_owned())
}

fn exact(text: impl Into<String>) -> Value {
    Value::Exact(text.into())
}

fn digest(of: impl std::fmt::Display) -> String {
    Hash::sha256(of.to_string().as_bytes()).to_string()
}

fn fact(name: &str, value: Value) -> (String, Value) {
    (name.to_owned(), value)
}

pub fn empty() -> Document {
    Document {
        title: "Report".into(),
        subtitle: "On nothing.".into(),
        status: None,
        banner: None,
        origin: "sealbook.example.com/acme".into(),
        made: None,
        blocks: Vec::new(),
        verification: None,
        foot: Foot { tenant: "acme".into(), id: "report 1".into() },
    }
}

/// What an auditor is given after a key was rotated.
pub fn evidence_pack() -> Document {
    let mut blocks = vec![Block::Section("Summary".into()), Block::Facts(summary())];
    blocks.push(Block::Note(
        "This was a drill: the slot is a copy of apt-repo-rsa3072 in the tenant acme-drill, with keys of its own. \
         Nothing that anybody uses was signed with them."
            .into(),
    ));
    blocks.extend([Block::Section("Checks".into()), Block::Checks(checks())]);
    blocks.extend([Block::Section("Timeline".into()), Block::Scale(scale()), Block::Table(timeline())]);
    blocks.extend([Block::Section("Approvals".into()), Block::Table(approvals())]);
    blocks.extend([Block::Section("Key attributes".into()), Block::Table(attributes())]);
    blocks.extend([Block::Section("Certificates".into()), Block::Table(certificates())]);
    blocks.extend([Block::Section("Canary results".into()), Block::Text(
        "Each line is an artifact that both generations signed in the hour before the change. The digest is that of the \
         artifact; either signature verifies against the public key of its generation."
            .into(),
    )]);
    blocks.push(Block::Subsection("Packages".into()));
    blocks.push(Block::Table(canaries(0..80)));
    blocks.push(Block::Subsection("Indices".into()));
    blocks.push(Block::Table(canaries(80..100)));
    blocks.extend([Block::Section("Policies in force".into()), Block::Facts(policies())]);
    Document {
        title: "Rotation Evidence Pack".into(),
        subtitle: "The signing key of apt-repo-rsa3072 was rotated from generation 3 to 4 on 24\u{a0}Nov\u{a0}2026; one of \
                   ten checks does not hold."
            .into(),
        status: Some(Status { mark: Mark::Fail, word: "FAIL".into() }),
        banner: Some("DRILL".into()),
        made: Timestamp::from_unix_micros(1_795_532_679_000_000),
        blocks,
        verification: Some(verification()),
        foot: Foot { tenant: "acme-drill".into(), id: "rotation 01934f5e-6d3c-7b9a".into() },
        origin: "sealbook.example.com/acme-drill".into(),
    }
}

fn summary() -> Vec<(String, Value)> {
    vec![
        fact("Slot", exact("apt-repo-rsa3072")),
        fact("Purpose", words("Signs the Release files of the Debian archive at apt.example.com")),
        fact("Algorithm", words("RSA 3072, PKCS #1 v1.5, SHA-256")),
        fact("From", words("Generation 3, in use since 2 Dec 2024")),
        fact("To", words("Generation 4, in use since 24 Nov 2026, 15:04:39 UTC")),
        fact("Rotation action", exact("01934f5e-6d3c-7b9a-8c11-0123456789ab")),
        fact("Document digest", Value::Digest(digest("document"))),
        fact("New public key, SHA-256", Value::Digest(digest("key"))),
        fact("Events", words("18 203 to 18 241")),
        fact("Checks", Value::Mark(Mark::Fail)),
    ]
}

fn checks() -> Vec<Check> {
    let check = |mark, claim: &str, evidence: &str| Check {
        mark,
        claim: claim.to_owned(),
        evidence: evidence.to_owned(),
    };
    vec![
        check(Mark::Pass, "The rotation was proposed by a member whose role may propose it", "seq 18203"),
        check(Mark::Pass, "A quorum of two approvers other than the proposer signed it", "seq 18207, 18209"),
        check(Mark::Pass, "The new key was made inside the device and never left it", "seq 18214"),
        check(Mark::Pass, "The device's attributes forbid that it leaves", "seq 18214"),
        check(Mark::Pass, "The new key's certificate is issued by the pinned authority", "seq 18216"),
        check(Mark::Pass, "A hundred canaries were signed by both generations", "seq 18217 to 18228"),
        check(Mark::Fail, "Every canary verifies under the new key alone", "seq 18229"),
        check(Mark::Pass, "The old key signed nothing after the change", "seq 18231 to 18241"),
        check(
            Mark::None,
            "The old key was destroyed in the device; it is kept until 24 Feb 2027",
            "no event",
        ),
        check(Mark::Pass, "A sealed checkpoint covers every event named here", "size 18242"),
    ]
}

fn scale() -> Scale {
    let at = |hours: i64| Timestamp::from_unix_micros(1_795_532_679_000_000 + hours * 3_600_000_000).unwrap();
    let span = |name: &str, from, to, strong| Span { name: name.into(), from: at(from), to: at(to), strong };
    Scale {
        from: at(0),
        to: at(240),
        names: ("24 Nov 2026".into(), "4 Dec 2026".into()),
        spans: vec![
            span("Generation 3", 0, 200, false),
            span("Overlap", 32, 200, true),
            span("Generation 4", 32, 240, true),
        ],
    }
}

fn timeline() -> Table {
    let people =
        ["Ada Lindqvist", "Bea Okonkwo", "Zoë Ångström", "Никола Тесла", "Ελένη Παππά", "service ci-release"];
    let kinds = ["action.proposed", "action.approved", "key.generated", "key.activated", "signature.created"];
    let row = |n: usize| {
        let (minute, second) = (n * 3 / 2 + 4, n * 17 % 60);
        vec![
            words(&format!("{}", 18_203 + n)),
            words(&format!("2026-11-24 15:{minute:02}:{second:02}")),
            exact(kinds[n * 7 % 5]),
            words(people[n % 6]),
        ]
    };
    Table {
        columns: vec![
            Column::numbers("Seq", 9),
            Column::new("Time, UTC", 25),
            Column::new("Event", 34),
            Column::new("By", 32),
        ],
        rows: (0..25).map(row).collect(),
    }
}

fn approvals() -> Table {
    let row = |name: &str, role: &str, seq: &str| {
        vec![words(name), words(role), Value::Digest(digest(name)), words(seq)]
    };
    Table {
        columns: vec![
            Column::new("Who", 22),
            Column::new("Seat", 20),
            Column::new("Assertion, SHA-256", 48),
            Column::numbers("Seq", 10),
        ],
        rows: vec![
            row("Bea Okonkwo", "approver", "18207"),
            row("Zoë Ångström", "security reviewer", "18209"),
        ],
    }
}

fn attributes() -> Table {
    let row = |meaning: &str, mark, name: &str| vec![words(meaning), Value::Mark(mark), exact(name)];
    Table {
        columns: vec![
            Column::new("What it means", 52),
            Column::new("Holds", 14),
            Column::new("Attribute", 34),
        ],
        rows: vec![
            row("Made inside this device", Mark::Pass, "CKA_LOCAL"),
            row("Can't be read in plain", Mark::Pass, "CKA_SENSITIVE"),
            row("Never could be read in plain", Mark::Pass, "CKA_ALWAYS_SENSITIVE"),
            row("Never could leave the device", Mark::Pass, "CKA_NEVER_EXTRACTABLE"),
            row("Every use asks for a login of its own", Mark::None, "CKA_ALWAYS_AUTHENTICATE"),
        ],
    }
}

fn certificates() -> Table {
    let row = |n: u32, until: &str| {
        vec![
            words(&format!("Generation {n}")),
            exact(format!("CN=apt-repo-rsa3072 g{n},O=Example Société Anonyme,C=LU")),
            words(until),
            Value::Digest(digest(n)),
        ]
    };
    Table {
        columns: vec![
            Column::new("Key", 17),
            Column::new("Subject", 30),
            Column::new("Not after", 17),
            Column::new("Certificate, SHA-256", 36),
        ],
        rows: vec![row(3, "2 Dec 2026"), row(4, "24 Nov 2028")],
    }
}

fn canaries(numbers: std::ops::Range<usize>) -> Table {
    let row = |n: usize| {
        let name = format!("pool/main/s/sealbook/sealbook-verify_1.{}.{}_amd64.deb", n / 10, n % 10);
        let mark = if n == 57 { Mark::Fail } else { Mark::Pass };
        vec![words(&format!("{}", n + 1)), exact(name), Value::Digest(digest(n)), Value::Mark(mark)]
    };
    Table {
        columns: vec![
            Column::numbers("No", 6),
            Column::new("Artifact", 42),
            Column::new("SHA-256", 41),
            Column::new("Verifies", 11),
        ],
        rows: numbers.map(row).collect(),
    }
}

fn policies() -> Vec<(String, Value)> {
    vec![
        fact("Ledger policy", Value::Digest(digest("ledger policy"))),
        fact("Slot policy", Value::Digest(digest("slot policy"))),
        fact("Quorum", words("Two of approver and security reviewer, other than the proposer")),
        fact("Authenticators", words("Attested hardware of two makes only")),
        fact("Release", words("Signatures are answered once a checkpoint covers them")),
    ]
}

fn verification() -> Verification {
    Verification {
        lead: "Whoever holds an export of the ledger and its vkey can check every event that this document names, without \
               trusting the server that made it."
            .into(),
        name: "Evidence digest".into(),
        digest: digest("evidence"),
        commands: vec![
            "sealbook export --tenant acme-drill --out acme-drill.tar".into(),
            format!("sealbook-verify acme-drill.tar --vkey @acme-drill.vkey --size 18242 --evidence {}", digest("evidence")),
        ],
        meaning: "Exit status 0 says that all of it holds. It does not say that the device told the truth about its keys, \
                  nor that people are who they say."
            .into(),
    }
}

/// Texts that a layout would rather not meet.
pub fn nasty(n: usize) -> String {
    match n % 12 {
        0 => "sealbook-verify_1.0.0_amd64.deb/".repeat(1 + n % 9),
        1 => "שלום עולם 123 (תוכנה).deb".into(),
        2 => "مرحبا بالعالم".into(),
        3 => "Z\u{351}\u{36b}\u{343}a\u{300}\u{301}\u{302}\u{303}lgo e\u{301}".into(),
        4 => "中文文件名 🔑🧨 한국어".into(),
        5 => "tab\there\u{0}nul\u{7f}del\u{202e}gpj.exe\u{2066}".into(),
        6 => "one\ntwo\r\n\nfour".into(),
        7 => "Σωκράτης и Пётр Łódź Şğ İı".into(),
        8 => "<b>not markup</b> & (parens) \\n \\( %PDF-1.7 /JavaScript".into(),
        9 => String::new(),
        10 => "  two  spaces   three    ".into(),
        _ => "→ ⇒ ✓ ✗ ∀ε>0 ½ № € — … “q”".into(),
    }
}

/// Every kind of block with such texts, and a long table of them.
pub fn adversarial(rows: usize) -> Document {
    let value = |n: usize| match n % 4 {
        0 => Value::Digest(digest(n)),
        1 => Value::Mark([Mark::Pass, Mark::Fail, Mark::None][n % 3]),
        2 => Value::Exact(nasty(n)),
        _ => Value::Words(nasty(n)),
    };
    let row = |n: usize| {
        // Rows of fewer cells than columns, and of more.
        (0..3 + n % 3)
            .map(move |column| if column == 0 { words(&n.to_string()) } else { value(n * 5 + column) })
    };
    let columns = vec![Column::numbers("Row", 0), Column::new("Long\nname", 900), Column::new("", 300)];
    let mut blocks = vec![Block::Subsection(nasty(5)), Block::Heading(nasty(6))];
    for n in 0..12 {
        blocks.extend([Block::Section(nasty(n)), Block::Text(nasty(n)), Block::Note(nasty(n))]);
        blocks.push(Block::Subsection(nasty(n)));
        blocks.push(Block::Facts(vec![
            (nasty(n), Value::Words(nasty(n))),
            (nasty(n), Value::Digest(nasty(n))),
        ]));
        blocks.push(Block::Checks(vec![Check { mark: Mark::None, claim: nasty(n), evidence: nasty(n) }]));
        blocks.push(Block::Commands(vec![nasty(n), nasty(n).repeat(40)]));
        blocks.push(Block::Codes(vec![Code { name: nasty(n), text: nasty(n) }; 2]));
        blocks.push(Block::Signatures(vec![Signature { name: nasty(n), role: nasty(n) }]));
    }
    let cell = |n: usize| {
        vec![words("tall"), Value::Exact(nasty(n).repeat(700)), Value::Words(nasty(n + 3).repeat(90))]
    };
    blocks.push(Block::Table(Table { columns: columns.clone(), rows: (0..6).map(cell).collect() }));
    blocks.push(Block::Table(Table {
        columns: vec![Column::new(&nasty(0).repeat(30), 1)],
        rows: vec![vec![]],
    }));
    blocks.extend([Block::NewPage, Block::NewPage, Block::Facts(vec![]), Block::Codes(vec![])]);
    blocks.push(Block::Table(Table { columns: vec![], rows: vec![] }));
    blocks.push(Block::Table(Table { columns, rows: (0..rows).map(|n| row(n).collect()).collect() }));
    Document {
        title: nasty(0),
        subtitle: nasty(5),
        status: Some(Status { mark: Mark::None, word: nasty(3) }),
        banner: Some(nasty(0)),
        origin: nasty(1),
        made: None,
        blocks,
        verification: Some(Verification {
            lead: nasty(4),
            name: nasty(7),
            digest: nasty(2),
            commands: vec![nasty(8)],
            meaning: nasty(11),
        }),
        foot: Foot { tenant: nasty(7), id: nasty(4) },
    }
}
