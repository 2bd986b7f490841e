/** What the commands do. */

import type { CommandOptions, CommandContext } from './commands';
import { parseDuration, reasonText, formatterFor } from '../countdown/format';
import { outcomeText, saveReportText, type ChangeKind } from '../text/outcomes';
import { timeLeft, currentPhase } from '../text/status-text';
import type { InstanceEdit, IManager, SaveReport } from '../tokens';

/** A command's arguments, which may be anything. */
type Arguments = Readonly<Record<string, unknown>>;

/** The duration among the arguments; `null` when there is none, a complaint when it is none. */
function readDurationArgument({ trans }: CommandContext, args: Arguments): number | null {
  if (typeof args.duration !== 'string') {
    return null;
  }
  const seconds = parseDuration(args.duration);
  if (seconds === null) {
    throw new Error(trans.__('“%1” is no duration. Write 90m or 2h30m.', args.duration));
  }
  return seconds;
}

/** Move the end of the run, and say what became of it. */
export async function extend(options: CommandContext, args: Arguments): Promise<void> {
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

/** Why there is no end to move. */
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

/** Set auto-stop; without arguments, show where that is done. */
export async function setAutoStop(options: CommandOptions, args: Arguments): Promise<void> {
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

/** Set the description; without arguments, show where that is done. */
export async function editDescription(options: CommandOptions, args: Arguments): Promise<void> {
  if (typeof args.description !== 'string') {
    options.showPanel('description');
    return;
  }
  await applyEdit(options, { description: args.description }, 'save');
}

/** Remind no more, and say so if that could not be. */
export async function muteReminders({ manager, trans, notify }: CommandContext): Promise<void> {
  const outcome = await manager.muteReminders(true);
  if (!outcome.result.ok) {
    notify(outcomeText(trans, { outcome, kind: 'save', manager }), false);
  }
}

/** Say what was saved, and what was not. */
export function notifySaved({ trans, notify }: CommandContext, report: SaveReport): void {
  notify(saveReportText(trans, report), report.notSaved.length === 0);
}
