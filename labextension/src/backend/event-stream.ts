/** The change events of the server extension, which arrive through Jupyter's event socket. */

import type { Event } from '@jupyterlab/services';
import type { ChangeEvent } from '../tokens';
import { readChangeEvent } from './validate';

const EVENT_SCHEMA_PATTERN = /modelarts-magics\/instance\/v1$/;

/** JupyterLab's event manager. Its socket is not public, and there is no signal of its state. */
type EventManager = Pick<Event.IManager, 'stream'> & { readonly _socket?: WebSocket | null };

/** Receives the change events, and observes whether they can arrive. */
export class EventStream {
  readonly #events: EventManager;
  #greetedSocket: unknown = null;

  /** @param events - the event manager of the page */
  constructor(events: Pick<Event.IManager, 'stream'>) {
    this.#events = events;
  }

  /**
   * Whether events can arrive: the socket is open and has delivered one. The server sends one to each
   * page that has connected. Some proxies accept the socket, but pass nothing on.
   */
  get isOpen(): boolean {
    const { _socket: socket } = this.#events;
    return socket?.readyState === WebSocket.OPEN && socket === this.#greetedSocket;
  }

  /** Call the listener on each change event; returns the function that stops this. */
  subscribe(listener: (event: ChangeEvent) => void): () => void {
    const { stream } = this.#events;
    const onEvent = (_: unknown, event: { readonly schema_id: string }): void => {
      this.#greetedSocket = this.#events._socket;
      if (EVENT_SCHEMA_PATTERN.test(event.schema_id)) {
        listener(readChangeEvent(event));
      }
    };
    stream.connect(onEvent);
    return () => {
      stream.disconnect(onEvent);
    };
  }
}
