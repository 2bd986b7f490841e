/** What the commands do. */

import type { CommandsOptions, Speaker } from './commands';
import { parseDuration, reasonText, wordsFor } from '../countdown/format';
import { outcomeText, savedText, type Verb } from '../text/outcomes';
import { counting, readNow } from '../text/status-text';
import type { Edit, IManager, SavedReport } from '../tokens';

/** A command's arguments, which may be anything. */
type Arguments = Readonly<Record<string, unknown>>;

/** The duration among the arguments; `null` when there is none, a complaint when it is none. */
function durationOf({ trans }: Speaker, args: Arguments): number | null {
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
export async function extend(options: Speaker, args: Arguments): Promise<void> {
  const { manager, trans, say } = options;
  const seconds = durationOf(options, args) ?? manager.preferences.extensionS;
  const run = counting(manager);
  if (run === null) {
    say(whyNot(manager), false);
    return;
  }
  const verb: Verb = seconds < 0 ? 'shorten' : 'extend';
  const outcome = await manager.extend(seconds, run.stopsAtMs);
  const good = outcome.answer.ok && outcome.answer.effect === 'now';
  say(outcomeText(trans, { outcome, verb, manager }), good);
}

/** Why there is no end to move. */
function whyNot({ payload, clock }: IManager): string {
  const state = payload?.snapshot?.state;
  const phase = state ? readNow(state, clock.now()).phase : 'unknown';
  const reason = phase === 'unknown' ? state?.unknown_reason : '';
  return reasonText(wordsFor(''), reason || phase);
}

async function change(options: CommandsOptions, edit: Edit, verb: Verb): Promise<void> {
  const { manager, trans, say } = options;
  const outcome = await manager.change(edit);
  say(outcomeText(trans, { outcome, verb, manager }), outcome.answer.ok);
}

/** Set auto-stop; without arguments, show where that is done. */
export async function setAutoStop(options: CommandsOptions, args: Arguments): Promise<void> {
  const seconds = durationOf(options, args);
  const enabled = typeof args.enabled === 'boolean' ? args.enabled : null;
  if (seconds === null && enabled === null) {
    options.reveal('auto-stop');
    return;
  }
  const autoStop = {
    ...(seconds !== null && { duration_s: seconds }),
    ...(enabled !== null && { enabled }),
  };
  await change(options, { auto_stop: autoStop }, 'set');
}

/** Set the description; without arguments, show where that is done. */
export async function editDescription(options: CommandsOptions, args: Arguments): Promise<void> {
  if (typeof args.description !== 'string') {
    options.reveal('description');
    return;
  }
  await change(options, { description: args.description }, 'save');
}

/** Remind no more, and say so if that could not be. */
export async function mute({ manager, trans, say }: Speaker): Promise<void> {
  const outcome = await manager.mute(true);
  if (!outcome.answer.ok) {
    say(outcomeText(trans, { outcome, verb: 'save', manager }), false);
  }
}

/** Say what was saved, and what was not. */
export function tellSaved({ trans, say }: Speaker, report: SavedReport): void {
  say(savedText(trans, report), report.notSaved.length === 0);
}
