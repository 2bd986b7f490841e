/**
 * The commands of the palette and the menu.
 *
 * The folder `commands/` exports functions that add and run the commands; what they do is loaded at
 * the first use. It may import from `countdown/`, `text/` and `tokens`.
 */

import type { CommandRegistry } from '@lumino/commands';
import type { IDisposable } from '@lumino/disposable';
import { formatDuration, formatterFor } from '../countdown/format';
import { failureText } from '../text/status-text';
import { BackendError, COMMAND_IDS, type SaveReport } from '../tokens';
import type { CommandArguments, CommandContext, CommandOptions } from './options';
import { findRunningCell } from '../browser/running-cell';

type AddCommand = (id: string, command: CommandRegistry.ICommandOptions) => void;
type ArgumentProperties = Readonly<Record<string, { type: string; description: string }>>;

const DURATION_ARGUMENT = {
  type: 'string',
  description: 'A duration such as 90m or 2h30m.',
} as const;

const argumentSchema = (properties: ArgumentProperties): CommandRegistry.Description => ({
  args: { type: 'object', additionalProperties: false, properties },
});

/** Add all commands except the one of {@link addSaveAllCommand}; disposing removes them. */
export function addCommands(options: CommandOptions): Pick<IDisposable, 'dispose'> {
  const { commands } = options;
  const disposables: IDisposable[] = [];
  const add: AddCommand = (id, command) => {
    disposables.push(commands.addCommand(id, command));
  };
  addChangeCommands(options, add);
  addSimpleChangeCommands(options, add);
  addSimpleCommands(options, add);
  return {
    dispose: () => {
      disposables.forEach((each) => {
        each.dispose();
      });
    },
  };
}

/** Add the commands that change the instance. */
function addChangeCommands(options: CommandOptions, add: AddCommand): void {
  const { trans } = options;
  const isEnabled = (): boolean => canChange(options);
  add(COMMAND_IDS.extend, {
    label: (args) => extendLabel(options, args),
    caption: trans.__('Change the stop time of this run'),
    isEnabled: () => hasStopTime(options),
    execute: async (args) => (await loadHandlers(options))?.extend(options, args),
    describedBy: argumentSchema({ duration: DURATION_ARGUMENT }),
  });
  add(COMMAND_IDS.setAutoStop, {
    label: trans.__('ModelArts: Set Auto-Stop Time…'),
    isEnabled,
    execute: async (args) => (await loadHandlers(options))?.setAutoStop(options, args),
    describedBy: argumentSchema({
      duration: DURATION_ARGUMENT,
      enabled: { type: 'boolean', description: 'Whether auto-stop is on.' },
    }),
  });
  add(COMMAND_IDS.editDescription, {
    label: trans.__('ModelArts: Edit Description…'),
    isEnabled,
    execute: async (args) => (await loadHandlers(options))?.editDescription(options, args),
    describedBy: argumentSchema({
      description: { type: 'string', description: 'The new description.' },
    }),
  });
}

/** Add the commands that change the instance without arguments. */
function addSimpleChangeCommands(options: CommandOptions, add: AddCommand): void {
  const { manager, trans } = options;
  const isEnabled = (): boolean => canChange(options);
  add(COMMAND_IDS.turnOff, {
    label: trans.__('ModelArts: Turn Off Auto-Stop'),
    isEnabled: () =>
      isEnabled() &&
      manager.payload?.capabilities?.canDisable === true &&
      manager.payload.snapshot?.state.enabled !== false,
    execute: async () => (await loadHandlers(options))?.turnOff(options),
    describedBy: argumentSchema({}),
  });
  add(COMMAND_IDS.stop, {
    label: trans.__('ModelArts: Stop Instance Now…'),
    isEnabled,
    execute: async () => (await loadHandlers(options))?.stop(options),
    describedBy: argumentSchema({}),
  });
  add(COMMAND_IDS.undo, {
    label: trans.__('ModelArts: Undo the Last Change'),
    isEnabled: () => isEnabled() && !!manager.payload?.undo,
    execute: async () => (await loadHandlers(options))?.undo(options),
    describedBy: argumentSchema({}),
  });
}

/** Add the commands that do not change the instance. */
function addSimpleCommands(options: CommandOptions, add: AddCommand): void {
  const { manager, trans, showPanel, togglePanel } = options;
  add(COMMAND_IDS.keepCell, {
    label: trans.__('ModelArts: Keep Until This Cell Ends'),
    isEnabled: () => canChange(options) && !!findRunningCell(options.shell),
    execute: async () => (await loadHandlers(options))?.keepCell(options),
    describedBy: argumentSchema({}),
  });
  add(COMMAND_IDS.letGo, {
    label: trans.__('ModelArts: Let Go of This Instance'),
    isEnabled: () => !!manager.payload?.keep,
    execute: async () => (await loadHandlers(options))?.letGo(options),
    describedBy: argumentSchema({}),
  });
  add(COMMAND_IDS.refresh, {
    label: trans.__('ModelArts: Refresh'),
    execute: () => manager.refresh(true),
    describedBy: argumentSchema({}),
  });
  add(COMMAND_IDS.showPanel, {
    label: ({ toggle }) =>
      toggle ? trans.__('ModelArts: Show or Hide Panel') : trans.__('ModelArts: Show Panel'),
    execute: ({ toggle }) => {
      if (toggle) {
        togglePanel();
      } else {
        showPanel(null);
      }
    },
    describedBy: argumentSchema({
      toggle: { type: 'boolean', description: 'Whether to hide a panel that is shown.' },
    }),
  });
  addSettingsCommand(options, add);
}

/** Add the command that opens the settings of the panel. */
function addSettingsCommand({ commands, trans }: CommandOptions, add: AddCommand): void {
  const openSettings = 'settingeditor:open';
  add(COMMAND_IDS.settings, {
    label: trans.__('ModelArts: Settings'),
    isEnabled: () => commands.hasCommand(openSettings),
    execute: () => commands.execute(openSettings, { query: 'ModelArts' }) as Promise<unknown>,
    describedBy: argumentSchema({}),
  });
}

/** Add the command that saves all documents that need no prompt; disposing removes it. */
export function addSaveAllCommand(
  options: Pick<CommandOptions, 'commands'> & CommandContext,
  save: () => Promise<SaveReport>,
): IDisposable {
  const { commands, trans } = options;
  return commands.addCommand(COMMAND_IDS.saveAll, {
    label: trans.__('ModelArts: Save All Without Prompting'),
    caption: trans.__('Skips documents that cannot be saved without a prompt'),
    execute: async () => {
      const report = await orUnreachable(options, save());
      if (report !== null) {
        (await loadHandlers(options))?.notifySaved(options, report);
      }
      return report;
    },
    describedBy: argumentSchema({}),
  });
}

/** Return whether the instance can be changed. */
function canChange({ manager: { payload, presumedStop } }: CommandContext): boolean {
  return !!payload?.instance && !payload.readOnly && presumedStop === null;
}

/** Return whether this run has a stop time, which may have passed. */
function hasStopTime(options: CommandContext): boolean {
  const state = options.manager.payload?.snapshot?.state;
  return canChange(options) && state?.enabled !== false && state?.mode !== 'IDLE';
}

/** Load the code of the commands. It is not part of the page load, because it needs the server anyway. */
function loadHandlers(options: CommandContext): Promise<typeof import('./handlers') | null> {
  return orUnreachable(options, import('./handlers'));
}

/** Wait for something that needs the server; notify and return `null` if it does not respond. */
function orUnreachable<T>(
  { trans, notify }: CommandContext,
  needed: Promise<T>,
): Promise<T | null> {
  return needed.catch(() => {
    notify(failureText(trans, new BackendError('unreachable')), false);
    return null;
  });
}

/** Extend the run by the duration in the settings, and report the result. */
export async function runExtend(options: CommandContext): Promise<void> {
  await (await loadHandlers(options))?.extend(options, {});
}

/** Turn off the reminders of this instance. */
export async function runMuteReminders(options: CommandContext): Promise<void> {
  await (await loadHandlers(options))?.muteReminders(options);
}

function extendLabel(options: CommandOptions, args: CommandArguments): string {
  const { extensionS } = options.manager.preferences;
  // As entered: the parser is loaded with the handlers.
  const entered = typeof args.duration === 'string' ? args.duration.trim() : '';
  const duration =
    entered.replace(/^[-+−]\s*/, '') || formatDuration(formatterFor(''), Math.abs(extensionS));
  return /^[-−]/.test(entered || String(extensionS))
    ? options.trans.__('ModelArts: Shorten by %1', duration)
    : options.trans.__('ModelArts: Extend Stop Time by %1', duration);
}
