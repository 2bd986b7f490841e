/** The commands of the palette and the menu; each can be called with arguments too. */

import type { TranslationBundle } from '@jupyterlab/translation';
import type { CommandRegistry } from '@lumino/commands';
import type { IDisposable } from '@lumino/disposable';
import { formatDuration, parseDuration, formatterFor } from '../countdown/format';
import { failureText } from '../text/status-text';
import { BackendError, COMMAND_IDS, type IManager, type SaveReport } from '../tokens';

type AddCommand = (id: string, command: CommandRegistry.ICommandOptions) => void;
type Arguments = Readonly<Record<string, unknown>>;

/** What the commands are made of. */
export interface CommandOptions {
  readonly commands: CommandRegistry;
  readonly manager: IManager;
  readonly trans: TranslationBundle;
  /** Show the panel, with the focus on one of its fields. */
  readonly showPanel: (field: 'description' | 'auto-stop' | null) => void;
  /** Say what became of it. */
  readonly notify: (text: string, good: boolean) => void;
}

/** What is needed to change something and say what became of it. */
export type CommandContext = Pick<CommandOptions, 'manager' | 'trans' | 'notify'>;

const DURATION_ARGUMENT = {
  type: 'string',
  description: 'Such as 90m or 2h30m.',
} as const;

type ArgumentProperties = Readonly<Record<string, { type: string; description: string }>>;

const argumentSchema = (properties: ArgumentProperties): CommandRegistry.Description => ({
  args: { type: 'object', additionalProperties: false, properties },
});

/** Add all commands; disposing of the answer removes them. */
export function addCommands(options: CommandOptions): Pick<IDisposable, 'dispose'> {
  const { commands, manager, trans } = options;
  const disposables: IDisposable[] = [];
  const hasInstance = (): boolean => !!manager.payload?.instance;
  const add: AddCommand = (id, command) => {
    disposables.push(commands.addCommand(id, command));
  };
  add(COMMAND_IDS.extend, {
    label: (args) => extendLabel(options, args),
    caption: trans.__('Move the end of this run'),
    isEnabled: hasInstance,
    execute: async (args) => (await loadHandlers(options))?.extend(options, args),
    describedBy: argumentSchema({ duration: DURATION_ARGUMENT }),
  });
  add(COMMAND_IDS.setAutoStop, {
    label: trans.__('Set Auto-Stop…'),
    isEnabled: hasInstance,
    execute: async (args) => (await loadHandlers(options))?.setAutoStop(options, args),
    describedBy: argumentSchema({
      duration: DURATION_ARGUMENT,
      enabled: { type: 'boolean', description: 'Whether it stops by itself.' },
    }),
  });
  add(COMMAND_IDS.editDescription, {
    label: trans.__('Edit Description…'),
    isEnabled: hasInstance,
    execute: async (args) => (await loadHandlers(options))?.editDescription(options, args),
    describedBy: argumentSchema({ description: { type: 'string', description: 'The new one.' } }),
  });
  addSimpleCommands(options, add);
  return {
    dispose: () => {
      disposables.forEach((each) => {
        each.dispose();
      });
    },
  };
}

/** The commands that take nothing. */
function addSimpleCommands({ manager, trans, showPanel }: CommandOptions, add: AddCommand): void {
  add(COMMAND_IDS.refresh, {
    label: trans.__('Ask the Cloud Again'),
    execute: () => manager.refresh(true),
    describedBy: argumentSchema({}),
  });
  add(COMMAND_IDS.showPanel, {
    label: trans.__('Show the ModelArts Panel'),
    execute: () => {
      showPanel(null);
    },
    describedBy: argumentSchema({}),
  });
}

/** Add the command that saves what can be saved without a question; disposing of the answer removes it. */
export function addSaveAllCommand(
  options: Pick<CommandOptions, 'commands'> & CommandContext,
  save: () => Promise<SaveReport>,
): IDisposable {
  const { commands, trans } = options;
  return commands.addCommand(COMMAND_IDS.saveAll, {
    label: trans.__('Save All, Asking Nothing'),
    caption: trans.__('Leaves out what could not be saved without a question'),
    execute: async () => {
      const report = await save();
      (await loadHandlers(options))?.notifySaved(options, report);
    },
    describedBy: argumentSchema({}),
  });
}

/** What the commands do is loaded at the first use, since it asks the server anyway. */
function loadHandlers({
  trans,
  notify,
}: CommandContext): Promise<typeof import('./handlers') | null> {
  return import('./handlers').catch(() => {
    notify(failureText(trans, new BackendError('unreachable')), false);
    return null;
  });
}

/** Extend the run by what the settings say, and say what became of it. */
export async function runExtend(options: CommandContext): Promise<void> {
  await (await loadHandlers(options))?.extend(options, {});
}

/** Remind no more of the stop of this instance. */
export async function runMuteReminders(options: CommandContext): Promise<void> {
  await (await loadHandlers(options))?.muteReminders(options);
}

function extendLabel(options: CommandOptions, args: Arguments): string {
  const requestedS = typeof args.duration === 'string' ? parseDuration(args.duration) : null;
  const seconds = requestedS ?? options.manager.preferences.extensionS;
  const duration = formatDuration(formatterFor(''), Math.abs(seconds));
  return seconds < 0
    ? options.trans.__('Shorten by %1', duration)
    : options.trans.__('Extend by %1', duration);
}
