//! Measures WebSocket servers side by side: a load generator that is never the bottleneck, the
//! operating system's accounting of the server process, and reports made of ratios.
//!
//! The servers are processes of their own ([`serve`] is all that they share with this crate), so
//! what the generator does never lands on a server's bill. `README.md` beside this crate says
//! what is measured and how to read it.

pub mod certificate;
pub mod entry;
pub mod histogram;
pub mod load;
pub mod machine;
pub mod messages;
pub mod options;
pub mod process;
pub mod report;
pub mod results;
pub mod scenario;
pub mod serve;
pub mod siblings;
pub mod tournament;
pub mod wharf_app;
