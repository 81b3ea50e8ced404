//! A hub's figures as metrics.

use metrics::{counter, gauge};

use crate::handles::hub::Hub;

impl Hub {
    /// Says this node's figures to the [`metrics`](https://docs.rs/metrics) facade, under names that
    /// begin with the prefix: call it before a scrape. The names are in the table of
    /// [`wharf_sdk::observer::Metrics`].
    pub fn sample_metrics(&self, prefix: &str) {
        let stats = self.stats();
        for (name, now) in [
            ("hub_sessions", stats.sessions),
            ("hub_rooms", stats.rooms),
            ("hub_members", stats.members),
            ("bus_connected", usize::from(stats.bus.connected)),
            ("bus_subscriptions", stats.bus.subscriptions),
        ] {
            gauge!(format!("{prefix}_{name}")).set(now as f64);
        }
        for (name, total) in [
            ("hub_published_total", stats.published),
            ("hub_delivered_total", stats.delivered),
            ("hub_dropped_total", stats.dropped),
            ("hub_gaps_total", stats.gaps),
            ("hub_foreign_total", stats.foreign),
        ] {
            counter!(format!("{prefix}_{name}")).absolute(total);
        }
    }
}
