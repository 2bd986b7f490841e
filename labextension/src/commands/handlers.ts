/** The handlers of the commands. */

import { reasonText } from '../countdown/feedback';
import { formatterFor } from '../countdown/format';
import { isCounting, passedStopTime } from '../countdown/phase';
import { autoStopEditFor, parseStopTimeShift, parseTimeInput } from '../countdown/time-input';
import { type ChangeKind, keepOutcomeText, outcomeText, saveReportText } from '../text/outcomes';
import { currentPhase } from '../text/status-text';
import type { IManager, InstanceEdit, SaveReport } from '../tokens';
import type { CommandArguments, CommandContext, CommandOptions } from './options';
import { findRunningCell } from '../browser/running-cell';

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
  const { manager, trans, notify } = options;
  const base = findExtensionBase(manager);
  const requestedS = readDurationArgument(options, args, (text) =>
    parseStopTimeShift(text, manager.clock.now(), base?.fromMs ?? null),
  );
  const seconds = requestedS ?? manager.preferences.extensionS;
  if (base === null || (base.hasPassed && seconds < 0)) {
    notify(notStoppingReason(manager), false);
    return;
  }
  const kind: ChangeKind = seconds < 0 ? 'shorten' : 'extend';
  const outcome = await manager.extend(seconds, base.stopsAtMs);
  const succeeded = outcome.result.ok && outcome.result.effect === 'now';
  notify(outcomeText(trans, { outcome, kind, manager }), succeeded);
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
function notStoppingReason({ payload, clock }: IManager): string {
  const state = payload?.snapshot?.state;
  const phase = state ? currentPhase(state, clock.now()).phase : 'unknown';
  const reason = phase === 'unknown' ? state?.unknown_reason : '';
  return reasonText(formatterFor(''), reason || phase);
}

async function applyEdit(
  options: CommandOptions,
  edit: InstanceEdit,
  kind: ChangeKind,
): Promise<void> {
  const { manager, trans, notify } = options;
  const outcome = await manager.edit(edit);
  notify(outcomeText(trans, { outcome, kind, manager }), outcome.result.ok);
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
export async function undo({ manager, trans, notify }: CommandContext): Promise<void> {
  const outcome = await manager.undo();
  notify(outcomeText(trans, { outcome, kind: 'set', manager }), outcome.result.ok);
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
