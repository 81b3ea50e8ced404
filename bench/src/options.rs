//! The command line of `wharf-bench`.

use std::io;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use crate::load::Window;

/// What `--help` prints.
pub const USAGE: &str = "\
wharf-bench: measures WebSocket servers side by side

  --quick             fewer loads, servers and turns: about five minutes
  --group <a,b>       other loads: deflate, tls, http2, messages
  --only <a,b>        only loads whose name contains one of these, of whatever group
  --servers <a,b>     only these servers (exact names); baselines have to be named too
  --extra <file>      further servers, as a JSON array: {name, command, baselines, routes}
  --against <name>    divides all of Wharf's servers by this one too
  --turns <n>         runs of each server under each load (3)
  --seconds <s>       measured time of a run (1; quick: 0.8)
  --patience <s>      longest wait, in all, for other work on the machine to end (300)
  --generator <n>     threads of the load generator (2)
  --json <file>       where the figures go (beside this program: wharf-bench.json)
  --svg <file>        where the picture goes (beside this program: wharf-bench.svg)
  --redraw <file>     measures nothing: draws the picture from figures that --json wrote
  --no-build          measures the servers as they are, without asking cargo to build them
  --list              names loads and servers, and does nothing else
";

/// The command line, read.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Fewer loads, servers and turns.
    pub quick: bool,
    /// Groups of loads; empty for the house's.
    pub groups: Vec<String>,
    /// Loads whose name contains one of these; empty for all.
    pub only: Vec<String>,
    /// Servers by name; empty for all.
    pub servers: Vec<String>,
    /// A file with further servers.
    pub extra: Option<PathBuf>,
    /// A server that Wharf's are divided by too.
    pub against: Option<String>,
    /// Runs of each server under each load.
    pub turns: Option<usize>,
    /// Measured seconds of a run.
    pub seconds: Option<f64>,
    /// Longest wait in all, in seconds, for other work on the machine to end.
    pub patience: u64,
    /// Threads of the load generator.
    pub generator_threads: usize,
    /// Where the figures go.
    pub json: Option<PathBuf>,
    /// Where the picture goes.
    pub svg: Option<PathBuf>,
    /// Figures to draw, instead of measuring.
    pub redraw: Option<PathBuf>,
    /// Ask cargo to build the servers first.
    pub build: bool,
    /// Only name what there is.
    pub list: bool,
    /// Only print [`USAGE`].
    pub help: bool,
}

impl Options {
    /// Reads the arguments after the program's name.
    ///
    /// # Errors
    ///
    /// An argument is unknown or not of its form.
    pub fn parse(args: impl IntoIterator<Item = String>) -> io::Result<Self> {
        let mut options = Self::default();
        let mut args = args.into_iter();
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--quick" => options.quick = true,
                "--group" => options.groups = words(&value(&arg, &mut args)?),
                "--against" => options.against = Some(value(&arg, &mut args)?),
                "--only" => options.only = words(&value(&arg, &mut args)?),
                "--servers" => options.servers = words(&value(&arg, &mut args)?),
                "--extra" => options.extra = Some(value(&arg, &mut args)?.into()),
                "--turns" => options.turns = Some(number(&arg, &mut args)?),
                "--seconds" => options.seconds = Some(number(&arg, &mut args)?),
                "--patience" => options.patience = number(&arg, &mut args)?,
                "--generator" => options.generator_threads = number(&arg, &mut args)?,
                "--json" => options.json = Some(value(&arg, &mut args)?.into()),
                "--redraw" => options.redraw = Some(value(&arg, &mut args)?.into()),
                "--svg" => options.svg = Some(value(&arg, &mut args)?.into()),
                "--no-build" => options.build = false,
                "--list" => options.list = true,
                "--help" => options.help = true,
                unknown => return Err(invalid(&format!("unknown option {unknown}\n\n{USAGE}"))),
            }
        }
        Ok(options)
    }

    /// Runs of each server under each load, at least one.
    pub fn turns(&self) -> usize {
        self.turns.unwrap_or(3).max(1)
    }

    /// How long each run is: between a tenth of a second and a minute.
    pub fn window(&self) -> Window {
        let seconds = self.seconds.unwrap_or(if self.quick { 0.8 } else { 1.0 });
        // What is no duration, because it is negative or no number, becomes the longest.
        let measured = Duration::try_from_secs_f64(seconds)
            .unwrap_or(Duration::MAX)
            .clamp(Duration::from_millis(100), Duration::from_secs(60));
        Window {
            warm_up: (measured / 3).min(Duration::from_millis(500)),
            measured,
        }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            quick: false,
            groups: Vec::new(),
            only: Vec::new(),
            servers: Vec::new(),
            extra: None,
            against: None,
            turns: None,
            seconds: None,
            patience: 300,
            generator_threads: 2,
            json: None,
            svg: None,
            redraw: None,
            build: true,
            list: false,
            help: false,
        }
    }
}

fn value(option: &str, args: &mut impl Iterator<Item = String>) -> io::Result<String> {
    args.next()
        .ok_or_else(|| invalid(&format!("{option} needs a value")))
}

fn number<T: FromStr>(option: &str, args: &mut impl Iterator<Item = String>) -> io::Result<T> {
    let text = value(option, args)?;
    text.parse()
        .map_err(|_| invalid(&format!("{option} needs a number, not {text}")))
}

fn words(list: &str) -> Vec<String> {
    list.split(',')
        .map(str::trim)
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

fn invalid(message: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> io::Result<Options> {
        Options::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn reads_lists_and_numbers() {
        let options = parse("--quick --only echo,memory --turns 2 --seconds 0.5").expect("fine");
        assert_eq!(options.only, ["echo", "memory"]);
        assert_eq!(options.turns(), 2);
        assert_eq!(options.window().measured, Duration::from_millis(500));
    }

    #[test]
    fn refuses_what_it_does_not_know() {
        assert!(parse("--fast").is_err());
        assert!(parse("--turns").is_err());
        assert!(parse("--turns many").is_err());
    }

    #[test]
    fn a_run_is_bounded_whatever_is_asked_for() {
        let asked = parse("--seconds 1e9 --turns 0").expect("fine");
        assert_eq!(asked.window().measured, Duration::from_secs(60));
        assert_eq!(asked.turns(), 1);
    }
}
