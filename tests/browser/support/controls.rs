//! Controls, by the name that a screen reader says. A name that ends in `…` is the beginning of one.

use fantoccini::elements::Element;
use http::Method;
use serde_json::json;

use super::browser::Browser;
use super::driver;

/// What a person can act on.
pub const CONTROLS: &str = "a[href], button, input, select, textarea, summary, [role=button], [role=link], \
    [role=tab], [role=option], [role=menuitem], [role=switch], [contenteditable], [tabindex='0']";

/// Elements that may bear a name, so that few need to be asked for theirs: it comes from their own text, or a label's.
const MAY_BEAR: &str = r#"
    const [name, candidates] = arguments;
    const fold = text => (text || "").replace(/\s+/g, " ").trim().toLowerCase();
    const named = id => (document.getElementById(id) || {}).textContent;
    const wanted = fold(name.replace(/…$/, ""));
    return candidates.filter(element => [
        element.textContent, element.getAttribute("aria-label"), element.title, element.value,
        element.placeholder, element.alt,
        ...[...(element.labels || [])].map(label => label.textContent),
        ...(element.getAttribute("aria-labelledby") || "").split(/\s+/).filter(id => id).map(named),
        ...[...element.querySelectorAll("img[alt], title")].map(inner => inner.alt || inner.textContent),
    ].some(text => fold(text).includes(wanted)));
"#;

impl Browser {
    /// The control of this name, if it is there: exactly one may bear it.
    #[track_caller]
    pub fn control(&self, name: &str) -> Option<Element> {
        let all = driver::wait(self.client.find_all(fantoccini::Locator::Css(CONTROLS))).ok()?;
        let mut bearers: Vec<Element> =
            self.may_bear(name, &all)?.into_iter().filter(|it| self.is_named(it, name)).collect();
        assert!(bearers.len() < 2, "{} controls at {} are named “{name}”", bearers.len(), self.url());
        bearers.pop()
    }

    /// Those of some elements that may bear a name; none where the page has changed meanwhile.
    fn may_bear(&self, name: &str, elements: &[Element]) -> Option<Vec<Element>> {
        let arguments = vec![json!(name), serde_json::to_value(elements).unwrap()];
        let found = driver::wait(self.client.execute(MAY_BEAR, arguments)).ok()?;
        let found = found.as_array()?.iter();
        let ids = found.filter_map(|it| it.as_object()?.values().next()?.as_str().map(str::to_owned));
        let known = |id: &String| elements.iter().find(|it| it.element_id().to_string() == *id).cloned();
        Some(ids.filter_map(|id| known(&id)).collect())
    }

    /// Whether a screen reader would call an element by this name.
    pub(super) fn is_named(&self, element: &Element, name: &str) -> bool {
        let path = format!("element/{}/computedlabel", element.element_id());
        // It may have gone meanwhile.
        self.try_command(Method::GET, &path, None).is_ok_and(|label| {
            let fold = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
            let label = fold(label.as_str().unwrap_or_default());
            match name.strip_suffix('…') {
                Some(beginning) => label.starts_with(beginning),
                None => label == fold(name),
            }
        })
    }

    /// Whether an element may bear a name at all.
    pub(super) fn may_be_named(&self, element: &Element, name: &str) -> bool {
        self.may_bear(name, std::slice::from_ref(element)).is_some_and(|bearers| !bearers.is_empty())
    }
}
