/** The interface between a countdown and the kernel or extension that provides its state. */

import type { Recipient } from './actions';
import type { ChangeRequest } from './messages';

/**
 * The responder to the countdown's requests. With `none`, the state shown is out of date and the
 * buttons have no effect.
 */
export type Responder = 'unknown' | 'kernel' | 'page' | 'none';

/** Callbacks of a countdown for what its host receives. */
export interface HostListener {
  /** The host's language, responder or connection has changed. */
  readonly onChange: () => void;
  /** A snapshot of the state, the server's time, or both have arrived. */
  readonly onState: (raw: unknown) => void;
  /** The result of a request has arrived. */
  readonly onResult: (id: string, raw: unknown) => void;
}

/** The source of a countdown's state, and the recipient of its requests. */
export interface CountdownHost {
  /** The language tag; empty for the language of the page. */
  readonly language: string;
  /** The start of a terminal command that needs no kernel; empty when there is none. */
  readonly terminalPrefix: string;
  /** The responder, as far as is known. */
  readonly responder: Responder;
  /** Whether a request for the server's time was sent and may still be answered. */
  readonly helloPending: boolean;
  /** Deliver the current state, and request the server's time. Called once, after construction. */
  connect(): void;
  /** Request the server's time. */
  sendHello(): void;
  /** The server's time has arrived. */
  helloAnswered(): void;
  /**
   * Send a request.
   *
   * @returns the recipient; `null` when there is none
   */
  sendRequest(request: ChangeRequest): Recipient | null;
  /** Ask the recipient to cancel a request. */
  cancelRequest(id: string, recipient: Recipient): void;
  /** Release all listeners and timers. May be called more than once. */
  dispose(): void;
}
