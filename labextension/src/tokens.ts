/** What the parts of the extension know of each other: values, the seam to a backend, the manager. */

import { Token } from '@lumino/coreutils';
import type { IDisposable } from '@lumino/disposable';
import type { ISignal } from '@lumino/signaling';
import type { ServerClock } from './countdown/clock';
import type { ChangeResult, Snapshot } from './countdown/messages';

/** Something that keeps the cloud from being asked, and what to do about it. */
export interface Problem {
  readonly code: string;
  readonly message: string;
  readonly hint: string;
}

/** What there is to know of an instance besides its auto-stop. */
export interface InstanceDetails {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly status: string;
  readonly flavor: string;
  readonly api: string;
  readonly demo: boolean;
  /** Auto-stop as the backend words it: what an edit says it was made from. */
  readonly autoStop: Readonly<Record<string, unknown>>;
}

/** What the API that is in use can do. */
export interface Capabilities {
  /** Whether a duration is counted from the start of the run or from the moment of the change. */
  readonly countsFrom: 'start' | 'now';
  readonly minDurationS: number;
  readonly maxDurationS: number;
  /** Whether auto-stop can be turned off. */
  readonly canDisable: boolean;
  /** Whether a duration is kept for the next start. */
  readonly persistsDuration: boolean;
}

/** A document that was not saved, and why, as a code of the panel's words. */
export interface UnsavedDocument {
  readonly path: string;
  readonly why: string;
}

/** What became of the dirty documents before a stop. */
export interface SaveReport {
  readonly saved: readonly string[];
  readonly notSaved: readonly UnsavedDocument[];
}

/** How the run before this one ended. */
export interface LastRun extends SaveReport {
  readonly endedAtMs: number | null;
  readonly reason: string;
  readonly durationS: number | null;
}

/** Everything a backend says of the instance. */
export interface Payload {
  /** The state for a countdown; `null` when nothing is known. */
  readonly snapshot: Snapshot | null;
  readonly serverNowMs: number | null;
  /** Which run of the backend counts `seq`. */
  readonly serverId: string;
  /** Goes up by one with each change the backend learns of; `null` when it does not count. */
  readonly sequence: number | null;
  readonly instance: InstanceDetails | null;
  readonly capabilities: Capabilities | null;
  /** Reminders are off for this instance. */
  readonly remindersMuted: boolean;
  readonly problem: Problem | null;
  /** What is shown was learned by somebody else; nothing can be changed from here. */
  readonly readOnly: boolean;
  readonly lastRun: LastRun | null;
  /** What was saved before the coming stop, over all tabs; `null` when nothing had to be. */
  readonly savedThisRun: SaveReport | null;
}

/** One finding of the doctor. */
export interface Finding {
  readonly label: string;
  readonly level: string;
  readonly message: string;
  readonly hint: string;
}

/** A request as every backend takes it. */
export interface BackendRequest {
  readonly method: 'GET' | 'PATCH' | 'POST' | 'DELETE';
  /** Below `/modelarts-magics/v1/`, with its query. */
  readonly path: string;
  readonly body?: object;
}

/** Who answers: our routes in the Jupyter server, or a kernel of our own. */
export type BackendKind = 'server-extension' | 'helper-kernel';

/** The seam between the manager and whoever can ask the cloud. */
export interface IBackend {
  readonly kind: BackendKind;
  /** Whether it tells of news by itself; else the manager looks now and then. */
  readonly pushesEvents: boolean;
  /**
   * Ask.
   *
   * @returns the JSON of the answer
   * @throws {@link BackendError}
   */
  call(request: BackendRequest): Promise<unknown>;
  /** Let go of what it holds. Calling it twice is fine. */
  dispose(): void;
}

/** What else is known of an error. */
interface BackendErrorOptions {
  readonly hint?: string;
  readonly status?: number;
  readonly details?: unknown;
}

/** Why a backend did not do what it was asked to. */
export class BackendError extends Error {
  /** The code: `absent` nobody there, `unreachable` no answer, else the backend's own. */
  readonly code: string;
  /** What to do next; may be empty. */
  readonly hint: string;
  /** HTTP's word for it, 0 where there was no answer. */
  readonly status: number;
  /** The whole answer, for what is particular to a code. */
  readonly details: unknown;

  constructor(
    code: string,
    message = '',
    { hint = '', status = 0, details }: BackendErrorOptions = {},
  ) {
    super(message);
    this.code = code;
    this.hint = hint;
    this.status = status;
    this.details = details;
  }
}

/** A wish for auto-stop; what is absent stays. */
export interface AutoStopEdit {
  readonly enabled?: boolean;
  readonly duration_s?: number;
}

/** A change that a person asks for, with what it was edited from. */
export interface InstanceEdit {
  readonly description?: string;
  readonly auto_stop?: AutoStopEdit;
  /** What the person saw; without it the change is made whatever holds now. */
  readonly base?: {
    readonly description?: string;
    readonly auto_stop?: Readonly<Record<string, unknown>>;
  };
}

/** That something changed: a hint to read again, and nothing more. */
export interface ChangeEvent {
  readonly serverId: string;
  readonly sequence: number | null;
}

/** What became of a change. */
export interface Outcome {
  readonly result: ChangeResult;
  /** Somebody else changed the same meanwhile: nothing was written. */
  readonly isConflict: boolean;
}

/** The settings that a person can set. */
export interface Preferences {
  /** Minutes before the stop at which to remind. */
  readonly remindMinutes: readonly number[];
  /** By how much a reminder's or command's plain "extend" extends, in seconds. */
  readonly extensionS: number;
  /** What the status item shows. */
  readonly statusShows: 'time-left' | 'stop-time' | 'both';
  /** Times of day as `18:04`, else as `6:04 pm`. */
  readonly use24HourClock: boolean;
  readonly showDetails: boolean;
  readonly saveBeforeStop: boolean;
  readonly saveMinutes: number;
}

/** What holds until settings are read, and where there are none. */
export const DEFAULT_PREFERENCES: Preferences = {
  remindMinutes: [30, 10, 2],
  extensionS: 3600,
  statusShows: 'time-left',
  use24HourClock: true,
  showDetails: true,
  saveBeforeStop: true,
  saveMinutes: 2,
};

/** Knows the instance, and is the only one to ask a backend. */
export interface IManager extends IDisposable {
  /** Emitted when any of the properties below has changed. */
  readonly changed: ISignal<IManager, void>;
  /** What was last said; `null` before the first answer. */
  readonly payload: Payload | null;
  /** Why the last reading failed; `null` when it did not. */
  readonly failure: BackendError | null;
  /** Who answers; `null` while that is not known. */
  readonly backend: BackendKind | null;
  /** The time by the server's clock. */
  readonly clock: ServerClock;
  /** What was saved before the coming stop; `null` when nothing had to be. */
  readonly savedBeforeStop: SaveReport | null;
  preferences: Preferences;
  /** Read again; with `ask`, the cloud is asked too. Never rejects. */
  refresh(fromApi?: boolean): Promise<void>;
  /** Move the end of this run by so many seconds, if it still is the one that was seen. Never rejects. */
  extend(seconds: number, baseStopsAtMs: number): Promise<Outcome>;
  /** Change description or auto-stop. Never rejects. */
  edit(edit: InstanceEdit): Promise<Outcome>;
  /** Turn the reminders of this instance off or on. Never rejects. */
  muteReminders(muted: boolean): Promise<Outcome>;
  /** Tell all that this tab has saved before a stop, and what it could not. Never rejects. */
  reportSaved(stopsAtMs: number, report: SaveReport, tab: string): Promise<void>;
  /** Forget how the last run ended, since it was read. Never rejects. */
  dismissLastRun(): Promise<void>;
  /** Look at the set-up. Rejects with {@link BackendError}. */
  runDoctor(): Promise<readonly Finding[]>;
}

/** The manager, for other extensions too. */
export const IManager = new Token<IManager>(
  'modelarts-magics-lab:IManager',
  'Knows when the instance stops, and changes that.',
);

/** Stop times less apart than this are the same one, told less exactly. */
const STOP_TIME_TOLERANCE_MS = 60_000;

/** Whether two stop times are the same one. */
export function isSameStopTime(oneMs: number, otherMs: number): boolean {
  return Math.abs(oneMs - otherMs) <= STOP_TIME_TOLERANCE_MS;
}

/** The commands by name. */
export const COMMAND_IDS = {
  extend: 'modelarts-magics:extend',
  setAutoStop: 'modelarts-magics:set-auto-stop',
  editDescription: 'modelarts-magics:edit-description',
  refresh: 'modelarts-magics:refresh',
  showPanel: 'modelarts-magics:show-panel',
  saveAll: 'modelarts-magics:save-all',
} as const;

/** A field of the panel that can be focused. */
export type PanelField = 'description' | 'auto-stop';

/** The panel's id in the shell. */
export const PANEL_ID = 'modelarts-magics-panel';

/** The catalogue of our translations. */
export const TRANSLATION_DOMAIN = 'modelarts_magics';
