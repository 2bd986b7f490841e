/** The commands of the palette and the menu; each can be called with arguments too. */

import type { TranslationBundle } from '@jupyterlab/translation';
import type { CommandRegistry } from '@lumino/commands';
import type { IDisposable } from '@lumino/disposable';
import { durationLabel, parseDuration, wordsFor } from '../countdown/format';
import { failureText } from '../text/status-text';
import { BackendError, COMMANDS, type IManager, type SavedReport } from '../tokens';

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

/** What is needed to change something and say what became of it. */
export type Speaker = Pick<CommandsOptions, 'manager' | 'trans' | 'say'>;

const DURATION = {
  type: 'string',
  description: 'Such as 90m or 2h30m.',
} as const;

type Properties = Readonly<Record<string, { type: string; description: string }>>;

const schema = (properties: Properties): CommandRegistry.Description => ({
  args: { type: 'object', additionalProperties: false, properties },
});

/** Add all commands; disposing of the answer removes them. */
export function addCommands(options: CommandsOptions): Pick<IDisposable, 'dispose'> {
  const { commands, manager, trans } = options;
  const all: IDisposable[] = [];
  const known = (): boolean => !!manager.payload?.instance;
  const add: Add = (id, command) => {
    all.push(commands.addCommand(id, command));
  };
  add(COMMANDS.extend, {
    label: (args) => extendLabel(options, args),
    caption: trans.__('Move the end of this run'),
    isEnabled: known,
    execute: async (args) => (await acts(options))?.extend(options, args),
    describedBy: schema({ duration: DURATION }),
  });
  add(COMMANDS.setAutoStop, {
    label: trans.__('Set Auto-Stop…'),
    isEnabled: known,
    execute: async (args) => (await acts(options))?.setAutoStop(options, args),
    describedBy: schema({
      duration: DURATION,
      enabled: { type: 'boolean', description: 'Whether it stops by itself.' },
    }),
  });
  add(COMMANDS.editDescription, {
    label: trans.__('Edit Description…'),
    isEnabled: known,
    execute: async (args) => (await acts(options))?.editDescription(options, args),
    describedBy: schema({ description: { type: 'string', description: 'The new one.' } }),
  });
  addPlain(options, add);
  return {
    dispose: () => {
      all.forEach((each) => {
        each.dispose();
      });
    },
  };
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

/** Add the command that saves what can be saved without a question; disposing of the answer removes it. */
export function addSaveAll(
  options: Pick<CommandsOptions, 'commands'> & Speaker,
  save: () => Promise<SavedReport>,
): IDisposable {
  const { commands, trans } = options;
  return commands.addCommand(COMMANDS.saveAll, {
    label: trans.__('Save All, Asking Nothing'),
    caption: trans.__('Leaves out what could not be saved without a question'),
    execute: async () => {
      const report = await save();
      (await acts(options))?.tellSaved(options, report);
    },
    describedBy: schema({}),
  });
}

/** What the commands do is loaded at the first use, since it asks the server anyway. */
function acts({ trans, say }: Speaker): Promise<typeof import('./handlers') | null> {
  return import('./handlers').catch(() => {
    say(failureText(trans, new BackendError('unreachable')), false);
    return null;
  });
}

/** Extend the run by what the settings say, and say what became of it. */
export async function extendAsUsual(options: Speaker): Promise<void> {
  await (await acts(options))?.extend(options, {});
}

/** Remind no more of the stop of this instance. */
export async function remindNoMore(options: Speaker): Promise<void> {
  await (await acts(options))?.mute(options);
}

function extendLabel(options: CommandsOptions, args: Arguments): string {
  const asked = typeof args.duration === 'string' ? parseDuration(args.duration) : null;
  const seconds = asked ?? options.manager.preferences.extensionS;
  const span = durationLabel(wordsFor(''), Math.abs(seconds));
  return seconds < 0
    ? options.trans.__('Shorten by %1', span)
    : options.trans.__('Extend by %1', span);
}
