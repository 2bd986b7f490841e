/** The handlers of the commands. */

import type { TranslationBundle } from '@jupyterlab/translation';
import type { CommandRegistry } from '@lumino/commands';
import { reasonText } from '../countdown/feedback';
import { formatterFor } from '../countdown/format';
import { isCounting, passedStopTime } from '../countdown/phase';
import { autoStopEditFor, parseStopTimeShift, parseTimeInput } from '../countdown/time-input';
import {
  type ChangeKind,
  keepOutcomeText,
  laterStartsText,
  outcomeText,
  type ReportedChange,
  restoreLabel,
  restoreOutcomeText,
  saveReportText,
  undoText,
} from '../text/outcomes';
import { joinSentences, notSavedText } from '../text/save-text';
import { currentPhase } from '../text/status-text';
import { COMMAND_IDS, type IManager, type InstanceEdit, type SaveReport } from '../tokens';
import { findRunningCell } from '../browser/running-cell';
import type { Question } from './consent';
import type {
  CommandArguments,
  CommandContext,
  CommandOptions,
  NotificationAction,
  SetActions,
} from './options';

/** The report where no document can be saved. */
const NOTHING_TO_SAVE: SaveReport = { saved: [], notSaved: [] };

/** Parse the duration argument; `null` when there is none. Throws if it is invalid. */
function readDurationArgument<T>(
  { trans }: CommandContext,
  { duration }: CommandArguments,
  parse: (text: string) => T | null,
): T | null {
  if (typeof duration !== 'string') {
    return null;
  }
  const parsed = parse(duration);
  if (parsed === null) {
    throw new Error(
      trans.__('“%1” is not a valid time. Examples: 90m, 2h30m, at 18:00.', duration),
    );
  }
  return parsed;
}

/** Change the stop time of this run, and report the result. */
export async function extend(options: CommandContext, args: CommandArguments): Promise<void> {
  const { manager, notify } = options;
  const base = findExtensionBase(manager);
  const requestedS = readDurationArgument(options, args, (text) =>
    parseStopTimeShift(text, manager.clock.now(), base?.fromMs ?? null),
  );
  const seconds = requestedS ?? manager.preferences.extensionS;
  if (base === null || (base.hasPassed && seconds < 0)) {
    notify(notStoppingReason(options), false);
    return;
  }
  const kind: ChangeKind = seconds < 0 ? 'shorten' : 'extend';
  const outcome = await manager.extend(seconds, base.stopsAtMs);
  reportChange(options, { outcome, kind, manager }, outcome.result.effect === 'now');
}

/** The stop time on which an extension is based, and the time from which it counts. */
interface ExtensionBase {
  readonly stopsAtMs: number;
  readonly fromMs: number;
  readonly hasPassed: boolean;
}

/** Return the base of an extension, also after the stop time; `null` when there is none. */
function findExtensionBase({ payload, clock }: IManager): ExtensionBase | null {
  const state = payload?.snapshot?.state;
  if (!state) {
    return null;
  }
  const nowMs = clock.now();
  const { phase } = currentPhase(state, nowMs);
  const passedMs = passedStopTime(state, phase);
  if (passedMs !== null) {
    return { stopsAtMs: passedMs, fromMs: nowMs, hasPassed: true };
  }
  const { stops_at_ms: stopsAtMs } = state;
  return stopsAtMs !== null && isCounting(phase)
    ? { stopsAtMs, fromMs: stopsAtMs, hasPassed: false }
    : null;
}

/** Return why there is no stop time to change. */
function notStoppingReason({ manager: { payload, clock }, trans }: CommandContext): string {
  const state = payload?.snapshot?.state;
  const format = formatterFor('');
  if (!state) {
    return reasonText(format, 'unknown');
  }
  const { phase } = currentPhase(state, clock.now());
  if (phase === 'off' || phase === 'idle') {
    return joinSentences(trans.__('%1.', format(`is-${phase}`)), reasonText(format, phase));
  }
  return reasonText(format, (phase === 'unknown' && state.unknown_reason) || phase);
}

async function applyEdit(
  options: CommandContext,
  edit: InstanceEdit,
  kind: ChangeKind,
): Promise<void> {
  const { manager } = options;
  const outcome = await manager.edit(edit);
  reportChange(options, { outcome, kind, manager });
}

/** Set auto-stop; without arguments, show its field in the panel. */
export async function setAutoStop(options: CommandOptions, args: CommandArguments): Promise<void> {
  const entered = readDurationArgument(options, args, (text) =>
    parseTimeInput(text, options.manager.clock.now()),
  );
  const enabled = typeof args.enabled === 'boolean' ? args.enabled : null;
  if (entered === null && enabled === null) {
    options.showPanel('auto-stop');
    return;
  }
  const autoStop = {
    ...(entered !== null && autoStopEditFor(entered)),
    ...(enabled !== null && { enabled }),
  };
  await applyEdit(options, { auto_stop: autoStop }, 'set');
}

/** Set the description; without arguments, show its field in the panel. */
export async function editDescription(
  options: CommandOptions,
  args: CommandArguments,
): Promise<void> {
  if (typeof args.description !== 'string') {
    options.showPanel('description');
    return;
  }
  await applyEdit(options, { description: args.description }, 'save');
}

/** Restore the state before the last change, and report the result. */
export async function undo(options: CommandContext): Promise<void> {
  const { manager } = options;
  reportChange(options, { outcome: await manager.undo(), kind: 'set', manager });
}

/** Restore the run time of later starts, and report the result. */
async function restoreRunTime({ manager, trans, notify }: CommandContext): Promise<void> {
  const outcome = await manager.restoreRunTime();
  notify(restoreOutcomeText(trans, { outcome, kind: 'save', manager }), outcome.result.ok);
}

/** Turn auto-stop off, and report the result. */
export async function turnOff(options: CommandContext): Promise<void> {
  await applyEdit(options, { auto_stop: { enabled: false } }, 'set');
}

/**
 * Report a change, with buttons that undo it and that restore the run time of later starts. They
 * disappear when something else is changed.
 */
function reportChange(
  options: CommandContext,
  change: ReportedChange,
  succeeded = change.outcome.result.ok,
): void {
  const { manager, trans, notify } = options;
  const restored = succeeded ? undoText(trans, manager) : '';
  const actions = succeeded ? changeActions(options) : [];
  const setActions = notify(
    joinSentences(outcomeText(trans, change), restored),
    succeeded,
    actions,
  );
  if (actions.length > 0) {
    removeWithOffers(manager, setActions);
  }
}

/** Return the buttons that undo the last change and restore the run time of later starts. */
function changeActions(options: CommandContext): NotificationAction[] {
  const { manager, trans } = options;
  const { undo: offer, restore } = manager.payload ?? {};
  const undoAction = offer && {
    label: trans.__('Undo'),
    caption: undoText(trans, manager),
    callback: () => void undo(options),
  };
  const restoreAction = restore?.isPlanned === false && {
    label: restoreLabel(trans, manager),
    caption: laterStartsText(trans, manager),
    callback: () => void restoreRunTime(options),
  };
  return [undoAction, restoreAction].filter((each) => !!each);
}

/** Remove the buttons of a notification when what they offer changes. */
function removeWithOffers(manager: IManager, setActions: SetActions): void {
  const offers = (): string => JSON.stringify([manager.payload?.undo, manager.payload?.restore]);
  const shown = offers();
  const onChanged = (): void => {
    if (offers() !== shown) {
      manager.changed.disconnect(onChanged);
      setActions([]);
    }
  };
  manager.changed.connect(onChanged);
}

/** Ask, save all documents, and stop the instance; ask again if a document could not be saved. */
export async function stop(options: CommandOptions): Promise<void> {
  const { commands, manager, trans, notify } = options;
  const { ask } = await import('./consent');
  const canSave = commands.hasCommand(COMMAND_IDS.saveAll);
  if (!(await ask(trans, stopQuestion(trans, canSave)))) {
    return;
  }
  const report = canSave ? await saveAll(commands) : NOTHING_TO_SAVE;
  const isSaved = report?.notSaved.length === 0;
  if (!isSaved && !(await ask(trans, unsavedQuestion(trans, report)))) {
    return;
  }
  const outcome = await manager.stop();
  const stopping = trans.__('The instance is stopping. Start it again in the console.');
  const { ok } = outcome.result;
  notify(ok ? stopping : outcomeText(trans, { outcome, kind: 'save', manager }), ok);
}

/** Return the question whether to stop. */
function stopQuestion(trans: TranslationBundle, canSave: boolean): Question {
  const saved = canSave ? trans.__('All documents are saved first.') : '';
  const lost = trans.__('Running cells and terminals end, and variables are lost.');
  return {
    title: trans.__('Stop the instance now?'),
    body: joinSentences(saved, lost),
    accept: canSave ? trans.__('Save and Stop') : trans.__('Stop'),
  };
}

/** Save all documents; returns `null` if this was not possible, which is reported. */
async function saveAll(commands: CommandRegistry): Promise<SaveReport | null> {
  return (await commands.execute(COMMAND_IDS.saveAll)) as SaveReport | null;
}

/** Return the question whether to stop although documents are not saved. */
function unsavedQuestion(trans: TranslationBundle, report: SaveReport | null): Question {
  return {
    title: trans.__('Stop without saving?'),
    body: report
      ? trans.__('Not saved: %1.', notSavedText(trans, report.notSaved))
      : trans.__('The documents could not be saved.'),
    accept: trans.__('Stop Without Saving'),
  };
}

/** End everything that keeps the instance running, and report the result. */
export async function letGo({ manager, trans, notify }: CommandContext): Promise<void> {
  const outcome = await manager.changeKeep({ action: 'end' });
  notify(keepOutcomeText(trans, outcome, manager), outcome.result.ok);
}

/** Keep the instance until the cell in front has ended, and report the result. */
export async function keepCell(options: CommandOptions): Promise<void> {
  const { manager, trans, notify, shell } = options;
  const cell = findRunningCell(shell);
  if (cell) {
    const { kernelId: id, name } = cell;
    const outcome = await manager.changeKeep({ action: 'keep-cell', id, name });
    notify(keepOutcomeText(trans, outcome, manager), outcome.result.ok);
  }
}

/** Turn off the reminders of this instance, and report an error. */
export async function muteReminders({ manager, trans, notify }: CommandContext): Promise<void> {
  const outcome = await manager.muteReminders(true);
  if (!outcome.result.ok) {
    notify(outcomeText(trans, { outcome, kind: 'save', manager }), false);
  }
}

/** Report which documents were saved and which were not. */
export function notifySaved({ trans, notify }: CommandContext, report: SaveReport): void {
  notify(saveReportText(trans, report), report.notSaved.length === 0);
}
