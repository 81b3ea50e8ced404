//! What the inspector costs a busy server: `watched [--sessions <n>] [--turns <n>]`.
//!
//! Sessions that echo at a steady pace, on a server without the inspector, with one that nobody
//! looks at, and with one watcher; turn by turn. What is read is the server's processor time.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep};
use wharf_bench::load::{Door, Frame, Kind, Wire};
use wharf_bench::machine::cpu_time;
use wharf_bench::process::ServerProcess;
use wharf_bench::serve::runtime;
use wharf_bench::siblings;

/// Sessions, unless `--sessions` says otherwise.
const SESSIONS: usize = 10_000;

/// How often each says something.
const PACE: Duration = Duration::from_millis(500);

/// How long a server is loaded, measured and not.
const WARM_UP: Duration = Duration::from_secs(2);
const MEASURED: Duration = Duration::from_secs(8);

/// Sessions of one generator task.
const OF_A_TASK: usize = 100;

fn main() -> io::Result<()> {
    let (mut sessions, mut turns) = (SESSIONS, 3);
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let value = args.next().and_then(|value| value.parse().ok());
        let value = value.ok_or_else(|| io::Error::other("a number is missing"))?;
        match arg.as_str() {
            "--sessions" => sessions = value,
            "--turns" => turns = value,
            _ => return Err(io::Error::other(format!("unknown option {arg}"))),
        }
    }
    siblings::build()?;
    runtime()?.block_on(async {
        let mut rows = Vec::new();
        for turn in 0..turns {
            let without = load(sessions, false, false).await?;
            let unseen = load(sessions, true, false).await?;
            let watched = load(sessions, true, true).await?;
            println!(
                "turn {turn}: {without:.1} ms of CPU a second without the inspector, {unseen:.1} \
                 with nobody watching, {watched:.1} with one watcher"
            );
            rows.push([without, unseen, watched]);
        }
        let [without, unseen, watched] = [0, 1, 2].map(|column| median(&rows, column));
        println!(
            "{sessions} sessions, medians: nobody watching {:.3} ×, one watcher {:.3} ×",
            unseen / without,
            watched / without
        );
        Ok(())
    })
}

/// The server's processor time in milliseconds a second.
async fn load(sessions: usize, inspector: bool, is_watched: bool) -> io::Result<f64> {
    let own = std::env::current_exe()?;
    let program = own.parent().unwrap_or(Path::new(".")).join("echo-hyper");
    let mut args = vec!["127.0.0.1:0", "--max-seconds", "120"];
    args.extend(inspector.then_some("--inspector"));
    let args: Vec<_> = args.into_iter().map(str::to_owned).collect();
    let server = ServerProcess::start(&program, &args)?;
    let door = Door::tcp(server.addr(), "/echo");
    let frame = Arc::new(Frame::new(Kind::Text, 64));
    let is_over = Arc::new(AtomicBool::new(false));

    let mut talking = JoinSet::new();
    let begin = Instant::now() + WARM_UP;
    for task in 0..sessions / OF_A_TASK {
        let mut wires = Vec::with_capacity(OF_A_TASK);
        for _ in 0..OF_A_TASK {
            wires.push(door.connect().await?.wire);
        }
        let offset = PACE * u32::try_from(task % 50).unwrap_or_default() / 50;
        let (frame, is_over) = (Arc::clone(&frame), Arc::clone(&is_over));
        talking.spawn(talk(wires, frame, begin + offset, is_over));
    }
    if is_watched {
        talking.spawn(watch(
            Door::tcp(server.addr(), "/inspector"),
            Arc::clone(&is_over),
        ));
    }
    tokio::time::sleep_until(begin + WARM_UP).await;
    let before = cpu_time(server.pid())?;
    sleep(MEASURED).await;
    let used = cpu_time(server.pid())?.saturating_sub(before);
    is_over.store(true, Ordering::Relaxed);
    while let Some(ended) = talking.join_next().await {
        ended.map_err(io::Error::other)??;
    }
    Ok(used.as_secs_f64() * 1e3 / MEASURED.as_secs_f64())
}

/// Sends a message on each connection at a steady pace, and reads it back.
async fn talk(
    mut wires: Vec<Wire>,
    frame: Arc<Frame>,
    begin: Instant,
    is_over: Arc<AtomicBool>,
) -> io::Result<()> {
    let mut pace = interval_at(begin, PACE);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut answer = vec![0; frame.answer().len()];
    while !is_over.load(Ordering::Relaxed) {
        pace.tick().await;
        for wire in &mut wires {
            wire.write_all(frame.next_bytes(0, frame.sent_bytes()))
                .await?;
        }
        for wire in &mut wires {
            wire.read_exact(&mut answer).await?;
        }
    }
    Ok(())
}

/// Reads what a page would, and looks at nothing.
async fn watch(door: Door, is_over: Arc<AtomicBool>) -> io::Result<()> {
    let mut wire = door.connect().await?.wire;
    let mut space = vec![0; 64 << 10];
    let mut seen = 0;
    while !is_over.load(Ordering::Relaxed) {
        seen += wire.read(&mut space).await?;
    }
    match seen {
        0 => Err(io::Error::other("the watcher saw nothing")),
        _ => Ok(()),
    }
}

fn median(rows: &[[f64; 3]], column: usize) -> f64 {
    let mut figures: Vec<_> = rows.iter().map(|row| row[column]).collect();
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}
