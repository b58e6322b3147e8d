//! A journey: people, each before a browser of their own, from a beginning to an end.

use std::array;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use super::browser::Browser;
use super::screens::Album;

/// Browsers at a time. Two cores are slow with more.
const MOST_BROWSERS: usize = 4;

/// Browsers that may be started yet.
static FREE: Mutex<usize> = Mutex::new(MOST_BROWSERS);

/// Told when browsers have ended.
static FREED: Condvar = Condvar::new();

/// What people are called here, in their order.
const NAMES: [&str; MOST_BROWSERS] = ["Ada", "Ben", "Cleo", "Dan"];

/// Has some people go a way together. Their screens go to `target/screens/<name>/`.
///
/// At its end no console may have complained of anything that the journey did not expect. Where it fails, what each
/// person saw last is kept beside the screens.
pub fn walk<const PEOPLE: usize>(name: &str, way: impl FnOnce(&[Browser; PEOPLE])) {
    let _places = Places::take(PEOPLE);
    let album = Arc::new(Album::new(name));
    let browsers: [Browser; PEOPLE] = array::from_fn(|n| Browser::open(NAMES[n], album.clone()));
    let walked = catch_unwind(AssertUnwindSafe(|| {
        way(&browsers);
        browsers.iter().for_each(Browser::expects_quiet);
    }));
    if let Err(failure) = walked {
        // A browser that fails here as well has nothing to add.
        let _ = catch_unwind(AssertUnwindSafe(|| browsers.iter().for_each(Browser::keep_for_inquest)));
        resume_unwind(failure);
    }
}

/// Places for browsers, all taken at once so that two journeys never wait for each other's.
struct Places(usize);

impl Places {
    fn take(places: usize) -> Self {
        assert!(places <= MOST_BROWSERS, "a journey of {places} would never begin");
        let free = FREE.lock().unwrap_or_else(PoisonError::into_inner);
        let free = FREED.wait_while(free, |free| *free < places);
        *free.unwrap_or_else(PoisonError::into_inner) -= places;
        Self(places)
    }
}

impl Drop for Places {
    fn drop(&mut self) {
        *FREE.lock().unwrap_or_else(PoisonError::into_inner) += self.0;
        FREED.notify_all();
    }
}
