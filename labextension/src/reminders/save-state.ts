/** Says in the last reminder whether everything is saved. It is loaded for this reminder only. */

import type { TranslationBundle } from '@jupyterlab/translation';
import { formatterFor, formatTime } from '../countdown/format';
import { joinSentences, listText } from '../text/save-text';
import type { IManager } from '../tokens';

/** Options of {@link followSaveState}. */
export interface SaveStateOptions {
  /** Provides the state and carries out changes. */
  readonly manager: IManager;
  /** The translations. */
  readonly trans: TranslationBundle;
  /** Return the paths of the modified documents of this tab. */
  readonly findUnsaved: () => Promise<readonly string[]>;
}

/** Report whether everything is saved, now and after each change; returns the function that ends this. */
export function followSaveState(
  { manager, trans, findUnsaved }: SaveStateOptions,
  show: (text: string) => void,
): () => void {
  let shown = '';
  const update = async (): Promise<void> => {
    const unsaved = await findUnsaved();
    const saved = manager.savedBeforeStop?.saved ?? [];
    const state = JSON.stringify([unsaved, saved]);
    if (state !== shown) {
      shown = state;
      const nowMs = manager.clock.now();
      show(saveStateText(trans, formatTime(formatterFor(''), nowMs, nowMs), { unsaved, saved }));
    }
  };
  // Without an answer, the reminder says nothing about it.
  const onChanged = (): void => void update().catch(() => undefined);
  onChanged();
  manager.changed.connect(onChanged);
  return () => {
    manager.changed.disconnect(onChanged);
  };
}

/** Return the sentences about what is saved. They name the time, because the notification stays. */
function saveStateText(
  trans: TranslationBundle,
  time: string,
  { unsaved, saved }: { unsaved: readonly string[]; saved: readonly string[] },
): string {
  if (unsaved.length > 0) {
    return trans.__('Not saved at %1: %2.', time, listText(trans, unsaved));
  }
  const names = saved.length > 0 ? trans.__('Saved: %1.', listText(trans, saved)) : '';
  return joinSentences(trans.__('Everything was saved at %1.', time), names);
}
