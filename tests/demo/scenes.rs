//! The scenes, in the order that they are played in. Each returns the sentence that is told of it.

pub(crate) mod certifying;
pub(crate) mod compromise;
pub(crate) mod containment;
pub(crate) mod drilling;
pub(crate) mod exporting;
pub(crate) mod founding;
pub(crate) mod governance;
pub(crate) mod releasing;
pub(crate) mod renewing;
pub(crate) mod reporting;
pub(crate) mod responding;
pub(crate) mod rotation;
pub(crate) mod signing;
pub(crate) mod slots;
pub(crate) mod tampering;
