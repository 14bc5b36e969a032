//! Lets go of what outlives the lives, once all of them have ended.

use std::sync::Arc;
use std::time::Duration;

use super::Conducting;
use crate::host::board::Happening;
use crate::host::lives::destructor_failed;
use crate::host::slot::Slot;
use crate::host::unit::Unit;
use crate::task::{aside, attempt};

/// How much longer than the stop budget the values that live through restarts may take to be dropped.
const LEAVING: Duration = Duration::from_millis(100);

impl Conducting {
    /// Lets go of what outlives the lives, on the workers, those first that stopped first: values, whose destructors are
    /// user code, and events kept for lives that will not come.
    pub(super) async fn release(&mut self) {
        // What was added too late for this loop to hear of ends here too, and nothing is added after that.
        self.happenings.close();
        let late = std::iter::from_fn(|| self.happenings.try_recv().ok()).filter_map(|happening| match happening {
            Happening::Add { unit, .. } => Some(unit),
            _ => None,
        });
        let units: Vec<_> = self.players.drain(..).map(|player| player.unit).chain(late).collect();
        let mut ended: Vec<_> = self.board.slots().into_iter().zip(units).collect();
        ended.sort_by_key(|(slot, _)| std::cmp::Reverse(slot.wave));
        let until = self.until() + LEAVING;
        let mut ended = ended.into_iter().peekable();
        while let Some(wave) = ended.peek().map(|(slot, _)| slot.wave) {
            let behind = self.board.leaving.under_way();
            let of_wave = std::iter::from_fn(|| ended.next_if(|(slot, _)| slot.wave == wave));
            let let_go = |(slot, unit): (Arc<Slot>, _)| {
                slot.inner().behind.clone_from(&behind);
                self.let_go(slot, unit)
            };
            let leaving: Vec<_> = of_wave.map(let_go).collect();
            for gone in leaving {
                drop(tokio::time::timeout_at(until, gone).await); // late: shown in the report
            }
        }
        // Values of earlier lives may still be leaving.
        drop(tokio::time::timeout_at(until, self.board.leaving.all_gone()).await);
        drop(tokio::time::timeout_at(until, self.board.settings.release(self.board.leaving.under_way())).await);
        let bus = self.bus.clone();
        drop(aside(self.planes.workers(), async move { bus.end_taps() })); // it wakes those who look on, and nobody waits for that
    }

    fn let_go(&self, slot: Arc<Slot>, unit: Arc<dyn Unit>) -> impl Future<Output = ()> + use<> {
        let told = slot.clone();
        self.board.let_go(&slot, move || {
            told.intake.close();
            // The value that lives through restarts, then what makes values.
            for ended in [unit.release(), attempt(|| drop(unit))] {
                if let Err(failure) = ended {
                    told.inner().problems.push(destructor_failed(&failure));
                }
            }
        })
    }
}
