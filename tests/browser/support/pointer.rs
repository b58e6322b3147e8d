//! Acting with a mouse or a finger.

use std::path::Path;

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

    /// Chooses a file of this machine in the field of this name.
    #[track_caller]
    pub fn choose_file(&self, name: &str, file: &Path) {
        let path = file.to_str().expect("a path in UTF-8");
        let chosen = |field: &Element| driver::wait(field.send_keys(path)).is_ok();
        self.until(&format!("the file field “{name}”"), || self.acts(name, chosen));
    }

    /// Enters noon of a day from today in a field for a moment, in the reader's own zone.
    ///
    /// How such a field is typed in is the browser's own affair and differs by language: its value is put, as a picker
    /// does.
    #[track_caller]
    pub fn at_moment(&self, name: &str, days: i32) {
        let put = "
            const [field, days] = arguments;
            const day = new Date();
            day.setDate(day.getDate() + days);
            const two = number => String(number).padStart(2, '0');
            field.value = `${day.getFullYear()}-${two(day.getMonth() + 1)}-${two(day.getDate())}T12:00:00`;
            field.dispatchEvent(new Event('input', { bubbles: true }));
            return field.value";
        self.until(&format!("the moment “{name}”"), || {
            let field = serde_json::to_value(self.control(name)?).ok()?;
            (self.run(put, &[field, days.into()]) != "").then_some(())
        });
    }

    fn acts(&self, name: &str, act: impl Fn(&Element) -> bool) -> Option<()> {
        self.control(name).filter(act).map(drop)
    }
}
