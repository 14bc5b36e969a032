//! Processes that are started by hand, in a runtime of the program's own. A line on standard input stops them.

use std::process::ExitCode;
use std::time::Duration;

use daemon_core::{DaemonProcess, Result};

use super::{FOR_EVER, unknown};

pub(crate) fn run(which: &str) -> Result<ExitCode> {
    // Longer than any test waits, so that whoever waits for it is found out.
    let mut daemon = DaemonProcess::builder("subject").shutdown_timeout(FOR_EVER);
    let (starts_again, stays) = (which == "starts-again", which == "stays");
    if which == "overruns" {
        daemon = daemon.shutdown_timeout(Duration::from_millis(300));
    }
    if which == "idle" {
        let load = || {
            println!("reloaded");
            Ok::<_, daemon_core::BoxError>(())
        };
        daemon = daemon.host(move |host| host.configuration((), load));
    }
    if which == "without-signals" {
        daemon = daemon.without_signals();
    }
    let daemon = daemon.build();
    match which {
        "idle" => daemon.on_shutdown(|| async { println!("closed") }),
        "busy" | "starts-again" | "stays" | "without-signals" => {}
        "overruns" | "never-ends" => daemon.on_shutdown(|| async {
            println!("closing");
            std::future::pending::<()>().await;
        }),
        _ => return Err(unknown(which)),
    }
    let is_busy = which == "busy";
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let outcome = runtime.block_on(async move {
        daemon.start().await?;
        println!("running");
        if is_busy {
            tokio::spawn(async {
                let mut ticks = tokio::time::interval(Duration::from_millis(10));
                loop {
                    ticks.tick().await;
                }
            });
        }
        let stopper = daemon.clone();
        let handle = tokio::runtime::Handle::current();
        std::thread::spawn(move || {
            let line = std::io::stdin().lines().next();
            if line.is_some() {
                drop(handle.block_on(stopper.stop()));
            }
        });
        let ended = daemon.wait().await;
        if starts_again {
            println!("stopped");
            daemon.start().await?;
            println!("running again");
            return daemon.wait().await;
        }
        if stays {
            println!("stopped");
            tokio::time::sleep(FOR_EVER).await;
        }
        ended
    });
    runtime.shutdown_background(); // whoever has not ended by now is left behind
    match outcome {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(error) => {
            println!("{}: {error}", error.code);
            Ok(ExitCode::FAILURE)
        }
    }
}
