//! Over the loopback, against servers that lie, hang, refuse, redirect, and some that do not.

#![allow(clippy::unwrap_used, reason = "a test says what failed by failing")]

mod answers;
mod liars;
mod proxies;
mod real_proxies;
mod redirects;
mod servers;
mod tls;
mod ways;
