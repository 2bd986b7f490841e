/** What the parts of the extension know of each other: values, the seam to a backend, the manager. */

import { Token } from '@lumino/coreutils';
import type { IDisposable } from '@lumino/disposable';
import type { ISignal } from '@lumino/signaling';
import type { ServerClock } from './countdown/clock';
import type { Answer, Snapshot } from './countdown/messages';

/** Something that keeps the cloud from being asked, and what to do about it. */
export interface Problem {
  readonly code: string;
  readonly message: string;
  readonly hint: string;
}

/** What there is to know of an instance besides its auto-stop. */
export interface InstanceFacts {
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
  readonly shortestS: number;
  readonly longestS: number;
  /** Whether auto-stop can be turned off. */
  readonly off: boolean;
  /** Whether a duration is kept for the next start. */
  readonly kept: boolean;
}

/** A document that was not saved, and why, as a code of the panel's words. */
export interface NotSaved {
  readonly path: string;
  readonly why: string;
}

/** What became of the dirty documents before a stop. */
export interface SavedReport {
  readonly saved: readonly string[];
  readonly notSaved: readonly NotSaved[];
}

/** How the run before this one ended. */
export interface LastRun extends SavedReport {
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
  readonly boot: string;
  /** Goes up by one with each change the backend learns of; `null` when it does not count. */
  readonly seq: number | null;
  readonly instance: InstanceFacts | null;
  readonly capabilities: Capabilities | null;
  /** Reminders are off for this instance. */
  readonly muted: boolean;
  readonly problem: Problem | null;
  /** What is shown was learned by somebody else; nothing can be changed from here. */
  readonly readOnly: boolean;
  readonly lastRun: LastRun | null;
  /** What was saved before the coming stop, over all tabs; `null` when nothing had to be. */
  readonly thisRun: SavedReport | null;
}

/** One finding of the doctor. */
export interface Finding {
  readonly about: string;
  readonly level: string;
  readonly words: string;
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
export type BackendKind = 'routes' | 'helper';

/** The seam between the manager and whoever can ask the cloud. */
export interface IBackend {
  readonly kind: BackendKind;
  /** Whether it tells of news by itself; else the manager looks now and then. */
  readonly tells: boolean;
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
interface ErrorFacts {
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

  constructor(code: string, message = '', { hint = '', status = 0, details }: ErrorFacts = {}) {
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
export interface Edit {
  readonly description?: string;
  readonly auto_stop?: AutoStopEdit;
  /** What the person saw; without it the change is made whatever holds now. */
  readonly base?: {
    readonly description?: string;
    readonly auto_stop?: Readonly<Record<string, unknown>>;
  };
}

/** That something changed: a hint to read again, and nothing more. */
export interface News {
  readonly boot: string;
  readonly seq: number | null;
}

/** What became of a change. */
export interface Outcome {
  readonly answer: Answer;
  /** Somebody else changed the same meanwhile: nothing was written. */
  readonly stale: boolean;
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
  readonly clock24: boolean;
  readonly showDetails: boolean;
  readonly saveBeforeStop: boolean;
  readonly saveMinutes: number;
}

/** What holds until settings are read, and where there are none. */
export const DEFAULTS: Preferences = {
  remindMinutes: [30, 10, 2],
  extensionS: 3600,
  statusShows: 'time-left',
  clock24: true,
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
  readonly saved: SavedReport | null;
  preferences: Preferences;
  /** Read again; with `ask`, the cloud is asked too. Never rejects. */
  refresh(ask?: boolean): Promise<void>;
  /** Move the end of this run by so many seconds, if it still is the one that was seen. Never rejects. */
  extend(seconds: number, baseStopsAtMs: number): Promise<Outcome>;
  /** Change description or auto-stop. Never rejects. */
  change(edit: Edit): Promise<Outcome>;
  /** Turn the reminders of this instance off or on. Never rejects. */
  mute(muted: boolean): Promise<Outcome>;
  /** Tell all that this tab has saved before a stop, and what it could not. Never rejects. */
  report(stopsAtMs: number, report: SavedReport, tab: string): Promise<void>;
  /** Forget how the last run ended, since it was read. Never rejects. */
  acknowledge(): Promise<void>;
  /** Look at the set-up. Rejects with {@link BackendError}. */
  examine(): Promise<readonly Finding[]>;
}

/** The manager, for other extensions too. */
export const IManager = new Token<IManager>(
  'modelarts-magics-lab:IManager',
  'Knows when the instance stops, and changes that.',
);

/** Stop times less apart than this are the same one, told less exactly. */
const SAME_STOP_MS = 60_000;

/** Whether two stop times are the same one. */
export function isSameStop(oneMs: number, otherMs: number): boolean {
  return Math.abs(oneMs - otherMs) <= SAME_STOP_MS;
}

/** The commands by name. */
export const COMMANDS = {
  extend: 'modelarts-magics:extend',
  setAutoStop: 'modelarts-magics:set-auto-stop',
  editDescription: 'modelarts-magics:edit-description',
  refresh: 'modelarts-magics:refresh',
  showPanel: 'modelarts-magics:show-panel',
  saveAll: 'modelarts-magics:save-all',
} as const;

/** The panel's id in the shell. */
export const PANEL_ID = 'modelarts-magics-panel';

/** The catalogue of our translations. */
export const DOMAIN = 'modelarts_magics';
