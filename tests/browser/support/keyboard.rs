//! Acting with the keyboard alone.

use fantoccini::actions::{InputSource as _, KeyAction, KeyActions};
use fantoccini::elements::Element;
use fantoccini::key::Key;
use serde_json::json;

use super::browser::Browser;
use super::controls::CONTROLS;
use super::driver;

/// How a focused element is told apart: an outline or a ring around it.
const FOCUS_IS_SEEN: &str = r#"
    const style = getComputedStyle(arguments[0]);
    const outlined = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0;
    return outlined || style.boxShadow !== "none";
"#;

/// A browser without a mouse.
pub struct Keyboard<'a>(&'a Browser);

impl Browser {
    /// Acts by keyboard alone.
    pub fn keyboard(&self) -> Keyboard<'_> {
        Keyboard(self)
    }
}

impl Keyboard<'_> {
    /// Goes to the button or link of this name, and presses Enter.
    #[track_caller]
    pub fn press(&self, name: &str) {
        self.reach(name);
        self.strike(Key::Enter);
    }

    /// Goes to the box of this name, and presses Space.
    #[track_caller]
    pub fn toggle(&self, name: &str) {
        self.reach(name);
        self.strike(' ');
    }

    /// Goes to the field of this name, and types over what it holds.
    #[track_caller]
    pub fn fill(&self, name: &str, text: &str) {
        self.reach(name);
        self.chord(Key::Control, 'a');
        self.strike(Key::Delete);
        self.type_in(text);
    }

    /// Goes to the list of this name, and types the option's text, as one finds it there.
    #[track_caller]
    pub fn choose(&self, name: &str, option: &str) {
        let list = self.reach(name);
        self.type_in(option);
        let chosen = "const list = arguments[0]; return list.selectedOptions[0].label.trim()";
        let chosen = self.0.run(chosen, &[serde_json::to_value(&list).unwrap()]);
        assert_eq!(chosen, option, "what “{name}” stands at");
    }

    /// Presses Tab until the control of this name has the focus, and fails if it can't be reached so or the focus is
    /// not to be seen.
    #[track_caller]
    pub fn reach(&self, name: &str) -> Element {
        self.0.until(&format!("a control named “{name}”"), || self.0.control(name).map(drop));
        // Once round from wherever the focus is, and the browser's own stop between the last control and the first.
        let controls =
            self.0.run("return document.querySelectorAll(arguments[0]).length", &[json!(CONTROLS)]);
        let most = 2 * controls.as_u64().unwrap() + 2;
        for _ in 0..=most {
            if let Some(focused) = self.focused(name) {
                let seen = self.0.run(FOCUS_IS_SEEN, &[serde_json::to_value(&focused).unwrap()]);
                assert_eq!(seen, true, "the focus on “{name}” can't be seen");
                return focused;
            }
            self.strike(Key::Tab);
        }
        panic!("“{name}” can't be reached by keyboard at {}", self.0.url());
    }

    /// Goes once round the dialog that is open, forth and back: the focus leaves it for the browser's own controls at
    /// most, never for the page behind, and is seen at each stop.
    #[track_caller]
    pub fn stays_in_the_dialog(&self) {
        let stops = "return document.querySelectorAll(`dialog[open] :is(${arguments[0]})`).length";
        let most = self.0.run(stops, &[json!(CONTROLS)]).as_u64().unwrap() + 2;
        for back in [false, true] {
            for _ in 0..most {
                if back {
                    self.chord(Key::Shift, Key::Tab.into())
                } else {
                    self.strike(Key::Tab)
                }
                let inside = self.0.run(
                    "const at = document.activeElement; return at === document.body || at.closest('dialog[open]') !== null",
                    &[],
                );
                assert_eq!(inside, true, "the focus leaves the dialog at {}", self.0.url());
                if let Ok(focused) = driver::wait(self.0.client.active_element()) {
                    let seen =
                        format!("if (arguments[0].matches('body, dialog')) return true; {FOCUS_IS_SEEN}");
                    let seen = self.0.run(&seen, &[serde_json::to_value(&focused).unwrap()]);
                    assert_eq!(seen, true, "the focus in the dialog can't be seen");
                }
            }
        }
    }

    /// Fails unless the focus has come back to the control of this name.
    #[track_caller]
    pub fn is_back_at(&self, name: &str) {
        self.0.until(&format!("the focus to be back at “{name}”"), || self.focused(name).map(drop));
    }

    /// The element that has the focus, if it bears this name.
    fn focused(&self, name: &str) -> Option<Element> {
        let active = driver::wait(self.0.client.active_element()).ok()?;
        (self.0.may_be_named(&active, name) && self.0.is_named(&active, name)).then_some(active)
    }

    /// Types a text where the focus is.
    #[track_caller]
    pub fn type_in(&self, text: &str) {
        let keys = text.chars().fold(KeyActions::new("keyboard".to_owned()), struck);
        self.perform(keys);
    }

    /// Presses one key.
    #[track_caller]
    pub fn strike(&self, key: impl Into<char>) {
        self.perform(struck(KeyActions::new("keyboard".to_owned()), key.into()));
    }

    /// Presses a key while another is held.
    #[track_caller]
    pub fn chord(&self, held: Key, key: char) {
        let held = held.into();
        let keys = KeyActions::new("keyboard".to_owned()).then(KeyAction::Down { value: held });
        self.perform(struck(keys, key).then(KeyAction::Up { value: held }));
    }

    #[track_caller]
    fn perform(&self, keys: KeyActions) {
        self.0.done("press a key", driver::wait(self.0.client.perform_actions(keys)));
    }
}

fn struck(keys: KeyActions, key: char) -> KeyActions {
    keys.then(KeyAction::Down { value: key }).then(KeyAction::Up { value: key })
}
