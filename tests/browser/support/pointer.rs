//! Acting with a mouse or a finger.

use fantoccini::elements::Element;

use super::browser::Browser;
use super::driver;

impl Browser {
    /// Clicks the control of this name, once it is there.
    #[track_caller]
    pub fn click(&self, name: &str) {
        // The page may be drawn anew between finding and clicking: then it is found again.
        self.until(&format!("“{name}” to be clickable"), || {
            self.acts(name, |it| driver::wait(it.click()).is_ok())
        });
    }

    /// Replaces what the field of this name holds.
    #[track_caller]
    pub fn fill(&self, name: &str, text: &str) {
        let typed = |field: &Element| {
            driver::wait(field.clear()).is_ok() && driver::wait(field.send_keys(text)).is_ok()
        };
        self.until(&format!("the field “{name}”"), || self.acts(name, typed));
    }

    /// Chooses an option, by its text, in the list of this name.
    #[track_caller]
    pub fn choose(&self, name: &str, option: &str) {
        let chosen = |list: &Element| driver::wait(list.select_by_label(option)).is_ok();
        self.until(&format!("“{option}” of “{name}”"), || self.acts(name, chosen));
    }

    fn acts(&self, name: &str, act: impl Fn(&Element) -> bool) -> Option<()> {
        self.control(name).filter(act).map(drop)
    }
}
