/** The handlers of the commands. */

import { formatterFor, parseDuration, reasonText } from '../countdown/format';
import { type ChangeKind, outcomeText, saveReportText } from '../text/outcomes';
import { currentPhase, timeLeft } from '../text/status-text';
import type { IManager, InstanceEdit, SaveReport } from '../tokens';
import type { CommandArguments, CommandContext, CommandOptions } from './options';

/** Return the duration argument in seconds; `null` when there is none. Throws if it is invalid. */
function readDurationArgument({ trans }: CommandContext, args: CommandArguments): number | null {
  if (typeof args.duration !== 'string') {
    return null;
  }
  const seconds = parseDuration(args.duration);
  if (seconds === null) {
    throw new Error(trans.__('“%1” is not a valid duration. Examples: 90m, 2h30m.', args.duration));
  }
  return seconds;
}

/** Change the stop time of this run, and report the result. */
export async function extend(options: CommandContext, args: CommandArguments): Promise<void> {
  const { manager, trans, notify } = options;
  const seconds = readDurationArgument(options, args) ?? manager.preferences.extensionS;
  const current = timeLeft(manager);
  if (current === null) {
    notify(notStoppingReason(manager), false);
    return;
  }
  const kind: ChangeKind = seconds < 0 ? 'shorten' : 'extend';
  const outcome = await manager.extend(seconds, current.stopsAtMs);
  const succeeded = outcome.result.ok && outcome.result.effect === 'now';
  notify(outcomeText(trans, { outcome, kind, manager }), succeeded);
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
  const seconds = readDurationArgument(options, args);
  const enabled = typeof args.enabled === 'boolean' ? args.enabled : null;
  if (seconds === null && enabled === null) {
    options.showPanel('auto-stop');
    return;
  }
  const autoStop = {
    ...(seconds !== null && { duration_s: seconds }),
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
