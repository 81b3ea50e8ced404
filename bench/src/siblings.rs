//! Builds the servers beside the binary that measures them.
//!
//! `cargo run --bin wharf-bench` builds that one binary only, so without this the one command of
//! the README would measure servers of yesterday, or none.

use std::io;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Longest time that the build may take.
const BUILD_DEADLINE: Duration = Duration::from_secs(30 * 60);

/// What is built.
const MANIFESTS: [&str; 2] = [
    concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"),
    concat!(env!("CARGO_MANIFEST_DIR"), "/peers/Cargo.toml"),
];

/// How often the build is asked whether it is done.
const POLL: Duration = Duration::from_millis(100);

/// Builds all binaries of this package, and the peers that are a package of their own, with the
/// profile that this one was built with. Does nothing unless cargo started this program.
///
/// # Errors
///
/// The build cannot be started, fails, or takes over half an hour.
pub fn build() -> io::Result<()> {
    let Some(cargo) = std::env::var_os("CARGO") else {
        return Ok(());
    };
    let own = std::env::current_exe()?;
    let Some((target, profile)) = target_and_profile(&own) else {
        return Ok(());
    };
    for manifest in MANIFESTS {
        let child = Command::new(&cargo)
            .args(["build", "--quiet", "--bins", "--profile", profile])
            .arg("--manifest-path")
            .arg(manifest)
            .arg("--target-dir")
            .arg(target)
            .stdin(Stdio::null())
            .spawn()?;
        wait(child)?;
    }
    Ok(())
}

fn wait(mut child: Child) -> io::Result<()> {
    let since = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return match status.success() {
                true => Ok(()),
                false => Err(io::Error::other("the servers of this package do not build")),
            };
        }
        if since.elapsed() > BUILD_DEADLINE {
            child.kill()?;
            child.wait()?;
            return Err(io::Error::other(format!("no build in {BUILD_DEADLINE:?}")));
        }
        sleep(POLL);
    }
}

/// Splits `<target>/<folder>/<program>` and names the profile whose output the folder holds.
fn target_and_profile(program: &Path) -> Option<(&Path, &str)> {
    let folder = program.parent()?;
    let profile = match folder.file_name()?.to_str()? {
        // The one profile whose folder has another name.
        "debug" => "dev",
        named => named,
    };
    Some((folder.parent()?, profile))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_profile_is_in_the_path() {
        let found = target_and_profile(Path::new("/t/bench-server/wharf-bench"));
        assert_eq!(found, Some((Path::new("/t"), "bench-server")));
        let found = target_and_profile(Path::new("/t/debug/wharf-bench"));
        assert_eq!(found, Some((Path::new("/t"), "dev")));
    }
}
