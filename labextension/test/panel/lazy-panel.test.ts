import { Widget } from '@lumino/widgets';
import { afterEach, describe, expect, it } from 'vitest';
import { Frame } from '../../src/panel/lazy-panel';
import type { Panel } from '../../src/panel/panel';
import { settle } from '../fakes';

/** A panel that only says what is done to it. */
class Stub {
  readonly node = document.createElement('div');
  readonly revealed: string[] = [];
  disposals = 0;

  reveal(field: string): void {
    this.revealed.push(field);
  }

  dispose(): void {
    this.disposals++;
  }
}

function makeFrame(loads: (() => Promise<unknown>)[]) {
  const asked: number[] = [];
  const frame = new Frame('ModelArts instance', () => {
    asked.push(asked.length);
    return (
      loads[asked.length - 1] ?? (() => Promise.reject(new Error('once too often')))
    )() as Promise<Panel>;
  });
  made.push(frame);
  return { frame, asked };
}

const made: Frame[] = [];

afterEach(() => {
  made.splice(0).forEach((each) => {
    each.dispose();
  });
});

describe('the place of the panel', () => {
  it('is empty until somebody looks at it, and filled once', async () => {
    const stub = new Stub();
    const { frame, asked } = makeFrame([() => Promise.resolve(stub)]);
    frame.hide();
    Widget.attach(frame, document.body);
    expect(asked).toEqual([]);
    frame.show();
    await settle();
    frame.hide();
    frame.show();
    await frame.reveal('description');
    expect(asked).toHaveLength(1);
    expect(frame.node.contains(stub.node)).toBe(true);
    expect(stub.revealed).toEqual(['description']);
  });

  it('that is open from the start is filled at once', async () => {
    const stub = new Stub();
    const { frame } = makeFrame([() => Promise.resolve(stub)]);
    Widget.attach(frame, document.body);
    await settle();
    expect(frame.node.contains(stub.node)).toBe(true);
  });

  it('is filled the next time where the server was away', async () => {
    const stub = new Stub();
    const away = () => Promise.reject(new Error('Loading chunk 746 failed.'));
    const { frame } = makeFrame([away, () => Promise.resolve(stub)]);
    Widget.attach(frame, document.body);
    await settle();
    frame.hide();
    frame.show();
    await settle();
    expect(frame.node.contains(stub.node)).toBe(true);
  });

  it('takes the panel with it, also one that comes later', async () => {
    const stub = new Stub();
    const { frame } = makeFrame([() => Promise.resolve(stub)]);
    Widget.attach(frame, document.body);
    frame.dispose();
    frame.dispose();
    await settle();
    expect(stub.disposals).toBeGreaterThan(0);
    expect(document.body.contains(stub.node)).toBe(false);
  });
});
