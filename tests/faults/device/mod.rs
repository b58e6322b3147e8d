//! What a device may do to a server that signs with it: it goes away, says no, hangs, or signs wrongly.

mod counting;
mod gone;
mod hanging;
mod making;
mod returns;
mod stand;
mod values;
mod withheld;
mod wrong;
