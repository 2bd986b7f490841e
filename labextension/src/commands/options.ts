/** The options that the commands and their handlers share. */

import type { TranslationBundle } from '@jupyterlab/translation';
import type { CommandRegistry } from '@lumino/commands';
import type { IManager, PanelField } from '../tokens';
import type { FrontShell } from '../browser/running-cell';

/** The arguments of a command, which may be of any type. */
export type CommandArguments = Readonly<Record<string, unknown>>;

/** A button of a notification. */
export interface NotificationAction {
  /** Its label. */
  readonly label: string;
  /** Its description. */
  readonly caption: string;
  /** What it does. */
  readonly callback: () => void;
}

/** Replaces the buttons of a notification. */
export type SetActions = (actions: readonly NotificationAction[]) => void;

/** Options of the commands. */
export interface CommandOptions {
  /** The registry to which the commands are added. */
  readonly commands: CommandRegistry;
  /** Carries out the changes. */
  readonly manager: IManager;
  /** The translations. */
  readonly trans: TranslationBundle;
  /** Has the document in front. */
  readonly shell: FrontShell;
  /** Show the panel, optionally with the focus on one of its fields. */
  readonly showPanel: (field: PanelField | null) => void;
  /** Show the panel with the focus in it or, if it is shown, hide it. */
  readonly togglePanel: () => void;
  /** Show a notification; returns the function that replaces its buttons. */
  readonly notify: (
    text: string,
    succeeded: boolean,
    actions?: readonly NotificationAction[],
  ) => SetActions;
}

/** The options with which a handler makes a change and reports its result. */
export type CommandContext = Pick<CommandOptions, 'manager' | 'trans' | 'notify'>;
