/** Saves the documents of this tab before a planned stop, which waits for that. */

import { asNumber, asObject, asString } from '../countdown/messages';
import type { IManager, SaveReport } from '../tokens';

/** Options of {@link PlannedStopSaver}. */
export interface PlannedStopOptions {
  /** Provides the planned stop and receives the reports. */
  readonly manager: IManager;
  /** Identifies this tab. */
  readonly tab: string;
  /** Save all modified documents. */
  readonly saveAll: () => Promise<SaveReport>;
}

/** Registers this tab for each planned stop, saves when it is asked to, and reports that. */
export class PlannedStopSaver {
  readonly #options: PlannedStopOptions;
  #reported = '';

  constructor(options: PlannedStopOptions) {
    this.#options = options;
  }

  /** Report what has not been reported for the current stop. Called at each change of the state. */
  update(): void {
    const { manager } = this.#options;
    const stop = asObject(asObject(manager.payload?.keep).stop);
    const id = asString(stop.id);
    const isSaving = stop.is_saving === true;
    const report = `${id} ${String(isSaving)}`;
    if (id && manager.preferences.saveBeforeStop && report !== this.#reported) {
      this.#reported = report;
      void this.#report(id, isSaving, asNumber(stop.stops_at_ms));
    }
  }

  async #report(id: string, isSaving: boolean, stopsAtMs: number | null): Promise<void> {
    const { manager, saveAll, tab } = this.#options;
    if (isSaving) {
      const report = await saveAll();
      if (stopsAtMs !== null && report.saved.length + report.notSaved.length > 0) {
        // The page shows it at once; the stop does not wait for the server to store it.
        void manager.reportSaved(stopsAtMs, report, tab);
      }
    }
    await manager.changeKeep({ action: 'report-page', id, tab, saved: isSaving });
  }
}
