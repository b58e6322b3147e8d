//! What browser journeys stand on.
//!
//! [`journey::walk`] gives each person a [`Browser`]: a Chromium with a profile of its own. A browser acts by pointer
//! ([`pointer`]) or by keyboard alone ([`keyboard`]), has authenticators ([`authenticator`]), looks at what it shows in
//! every width and theme ([`screens`], [`axe`]), and remembers what its console said ([`console`]).

pub mod attacker;
pub mod authenticator;
pub mod axe;
pub mod browser;
pub mod console;
pub mod controls;
pub mod deeds;
pub mod driver;
pub mod journey;
pub mod keyboard;
pub mod pages;
pub mod pointer;
pub mod reading;
pub mod screens;

pub use authenticator::Key;
pub use browser::Browser;
pub use journey::walk;
