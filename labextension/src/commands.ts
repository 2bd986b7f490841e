/** The commands of the palette and the menu; each can be called with arguments too. */

import type { TranslationBundle } from '@jupyterlab/translation';
import type { CommandRegistry } from '@lumino/commands';
import { DisposableSet, type IDisposable } from '@lumino/disposable';
import { durationLabel, parseDuration, reasonText, wordsFor } from './countdown/words';
import { counting, outcomeText, readNow, type Verb } from './sentences';
import { COMMANDS, type Edit, type IManager } from './tokens';

type Add = (id: string, command: CommandRegistry.ICommandOptions) => void;
type Arguments = Readonly<Record<string, unknown>>;

/** What the commands are made of. */
export interface CommandsOptions {
  readonly commands: CommandRegistry;
  readonly manager: IManager;
  readonly trans: TranslationBundle;
  /** Show the panel, with the focus on one of its fields. */
  readonly reveal: (field: 'description' | 'auto-stop' | null) => void;
  /** Say what became of it. */
  readonly say: (text: string, good: boolean) => void;
}

const DURATION = {
  type: 'string',
  description: 'Such as 90m, 2h30m or 1:30.',
} as const;

type Properties = Readonly<Record<string, { type: string; description: string }>>;

const schema = (properties: Properties): CommandRegistry.Description => ({
  args: { type: 'object', additionalProperties: false, properties },
});

/** Add all commands; disposing of the answer removes them. */
export function addCommands(options: CommandsOptions): IDisposable {
  const { commands, manager, trans } = options;
  const all = new DisposableSet();
  const known = (): boolean => !!manager.payload?.instance;
  const add: Add = (id, command) => {
    all.add(commands.addCommand(id, command));
  };
  add(COMMANDS.extend, {
    label: (args) => extendLabel(options, args),
    caption: trans.__('Move the end of this run'),
    isEnabled: known,
    execute: (args) => extend(options, args),
    describedBy: schema({ duration: DURATION }),
  });
  add(COMMANDS.setAutoStop, {
    label: trans.__('Set Auto-Stop…'),
    isEnabled: known,
    execute: (args) => setAutoStop(options, args),
    describedBy: schema({
      duration: DURATION,
      enabled: { type: 'boolean', description: 'Whether it stops by itself.' },
    }),
  });
  add(COMMANDS.editDescription, {
    label: trans.__('Edit Description…'),
    isEnabled: known,
    execute: (args) => editDescription(options, args),
    describedBy: schema({ description: { type: 'string', description: 'The new one.' } }),
  });
  addPlain(options, add);
  return all;
}

/** The commands that take nothing. */
function addPlain({ manager, trans, reveal }: CommandsOptions, add: Add): void {
  add(COMMANDS.refresh, {
    label: trans.__('Ask the Cloud Again'),
    execute: () => manager.refresh(true),
    describedBy: schema({}),
  });
  add(COMMANDS.showPanel, {
    label: trans.__('Show the ModelArts Panel'),
    execute: () => {
      reveal(null);
    },
    describedBy: schema({}),
  });
}

/** The duration among the arguments; `null` when there is none, a complaint when it is none. */
function durationOf({ trans }: CommandsOptions, args: Arguments): number | null {
  if (typeof args.duration !== 'string') {
    return null;
  }
  const seconds = parseDuration(args.duration);
  if (seconds === null) {
    throw new Error(trans.__('“%1” is no duration. Write 90m, 2h30m or 1:30.', args.duration));
  }
  return seconds;
}

function extendLabel(options: CommandsOptions, args: Arguments): string {
  const asked = typeof args.duration === 'string' ? parseDuration(args.duration) : null;
  const seconds = asked ?? options.manager.preferences.extensionS;
  const span = durationLabel(wordsFor(''), Math.abs(seconds));
  return seconds < 0
    ? options.trans.__('Shorten by %1', span)
    : options.trans.__('Extend by %1', span);
}

async function extend(options: CommandsOptions, args: Arguments): Promise<void> {
  const seconds = durationOf(options, args) ?? options.manager.preferences.extensionS;
  await extendAndSay(options, seconds);
}

/** Move the end of the run by so many seconds, and say what became of it. */
export async function extendAndSay(
  options: Pick<CommandsOptions, 'manager' | 'trans' | 'say'>,
  seconds: number,
): Promise<void> {
  const { manager, trans, say } = options;
  const run = counting(manager);
  if (run === null) {
    const state = manager.payload?.snapshot?.state;
    const phase = state ? readNow(state, manager.clock.now()).phase : 'unknown';
    say(reasonText(wordsFor(''), phase), false);
    return;
  }
  const verb: Verb = seconds < 0 ? 'shorten' : 'extend';
  const outcome = await manager.extend(seconds, run.stopsAtMs);
  const good = outcome.answer.ok && outcome.answer.effect === 'now';
  say(outcomeText(trans, { outcome, verb, manager }), good);
}

async function change(options: CommandsOptions, edit: Edit): Promise<void> {
  const { manager, trans, say } = options;
  const outcome = await manager.change(edit);
  say(outcomeText(trans, { outcome, verb: 'save', manager }), outcome.answer.ok);
}

async function setAutoStop(options: CommandsOptions, args: Arguments): Promise<void> {
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
  await change(options, { auto_stop: autoStop });
}

async function editDescription(options: CommandsOptions, args: Arguments): Promise<void> {
  if (typeof args.description !== 'string') {
    options.reveal('description');
    return;
  }
  await change(options, { description: args.description });
}
