//! Documents for people and their files: what they say is modelled apart from how it is drawn.
//!
//! A report is made of events and disclosures alone, so that the same ledger gives the same bytes. [`pdf`] alone knows how
//! a PDF is written.

pub mod birth_certificate;
pub mod document;
pub mod pdf;
pub mod qr;
pub mod rep;
