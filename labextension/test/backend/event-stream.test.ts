import { Signal } from '@lumino/signaling';
import { beforeEach, expect, it, vi } from 'vitest';
import { EventStream } from '../../src/backend/event-stream';
import type { ChangeEvent } from '../../src/tokens';

const SCHEMA_ID = 'https://example.com/modelarts-magics/instance/v1';

/** JupyterLab's event manager, with a socket that the test replaces. */
class FakeEvents {
  readonly #signal = new Signal<this, object>(this);
  readonly stream = this.#signal as never;
  _socket: { readyState: number } | null | undefined = null;

  send(event: object): void {
    this.#signal.emit(event);
  }
}

let events: FakeEvents;
let stream: EventStream;
let received: ChangeEvent[];

beforeEach(() => {
  vi.stubGlobal('WebSocket', { OPEN: 1 });
  events = new FakeEvents();
  stream = new EventStream(events);
  received = [];
  stream.subscribe((event) => received.push(event));
});

it('receives the events of this extension', () => {
  events.send({ schema_id: SCHEMA_ID, server_id: 'b', seq: 3 });
  events.send({ schema_id: 'https://example.com/contents/v1' });
  expect(received).toEqual([{ serverId: 'b', sequence: 3 }]);
});

it('is open when an open socket has delivered an event', () => {
  expect(stream.isOpen).toBe(false);
  events._socket = { readyState: 1 };
  // Some proxies accept the socket, but pass nothing on.
  expect(stream.isOpen).toBe(false);
  events.send({ schema_id: SCHEMA_ID });
  expect(stream.isOpen).toBe(true);
});

it('is closed when the socket is closed or was replaced', () => {
  events._socket = { readyState: 1 };
  events.send({ schema_id: SCHEMA_ID });
  events._socket.readyState = 3;
  expect(stream.isOpen).toBe(false);
  events._socket = { readyState: 1 };
  expect(stream.isOpen).toBe(false);
  events.send({ schema_id: SCHEMA_ID });
  expect(stream.isOpen).toBe(true);
});

it('is closed if the socket of the page is not known', () => {
  events._socket = undefined;
  events.send({ schema_id: SCHEMA_ID });
  expect(stream.isOpen).toBe(false);
});
