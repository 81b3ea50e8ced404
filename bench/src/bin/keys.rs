//! What a rate by principal costs with few keys and with a million: `keys`.
//!
//! The rate is compiled from the core's own file, which is not public.

#[allow(unreachable_pub, dead_code)]
#[path = "../../../sdk/src/policy/keyed_rate.rs"]
mod keyed_rate;

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use keyed_rate::KeyedRate;
use wharf_bench::machine::resident_bytes;

/// Keys that are known.
const KEYS: [u32; 4] = [100, 10_000, 100_000, 1_000_000];

/// How often it is asked.
const ASKED: u32 = 2_000_000;

/// So long that no key becomes idle while it is measured.
const PERIOD: Duration = Duration::from_secs(3600);

fn main() -> io::Result<()> {
    for keys in KEYS {
        let principals: Vec<Arc<str>> = (0..keys)
            .map(|n| Arc::from(format!("user-{n:08}")))
            .collect();
        let before = resident_bytes(std::process::id())?;
        let rate = KeyedRate::new(u32::MAX, PERIOD);
        let now = Instant::now();
        for principal in &principals {
            rate.take(principal, now).map_err(|_| denied())?;
        }
        let bytes = resident_bytes(std::process::id())?.saturating_sub(before);

        let mut seed = 1u64;
        let mut any = || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            usize::try_from((seed >> 33) % u64::from(keys)).unwrap_or_default()
        };
        let since = Instant::now();
        for _ in 0..ASKED {
            rate.take(&principals[any()], now).map_err(|_| denied())?;
        }
        let nanos = since.elapsed().as_secs_f64() * 1e9 / f64::from(ASKED);

        // A key that comes when all others have been idle for long forgets two of them.
        let later = now + 2 * PERIOD;
        let newcomer: Arc<str> = Arc::from("newcomer");
        let since = Instant::now();
        for _ in 0..keys / 2 + 1000 {
            rate.take(&newcomer, later).map_err(|_| denied())?;
        }
        let forgetting = since.elapsed().as_secs_f64() * 1e9 / f64::from(keys / 2 + 1000);
        println!(
            "{keys:>9} keys: {nanos:>5.0} ns to ask for any, {forgetting:>5.0} ns while the others \
             are forgotten, {:>4} bytes a key",
            bytes / u64::from(keys)
        );
    }
    Ok(())
}

fn denied() -> io::Error {
    io::Error::other("a key was denied within its rate")
}
