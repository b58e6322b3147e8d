//! Forms as data.

use std::collections::BTreeSet;

use super::*;

#[test]
fn every_type_has_a_form_of_its_own_with_fields_that_differ() {
    let mut titles = BTreeSet::new();
    for kind in ActionType::ALL {
        let form = form(kind);
        assert!(titles.insert(form.title), "{kind}: {} twice", form.title);
        let names: BTreeSet<&str> = form.fields.iter().map(|field| field.name).collect();
        assert_eq!(names.len(), form.fields.len(), "{kind}");
        assert!(!form.fields.is_empty(), "{kind}");
    }
}

#[test]
fn what_people_fill_in_has_a_label() {
    for kind in ActionType::ALL {
        for field in form(kind).fields {
            assert_eq!(field.label.is_empty(), field.input == Input::NewId, "{kind}: {}", field.name);
        }
    }
}
