import { Widget } from '@lumino/widgets';
import { afterEach, describe, expect, it } from 'vitest';
import { LazyPanel } from '../../src/panel/lazy-panel';
import type { Panel } from '../../src/panel/panel';
import { flushPromises } from '../fakes';

/** A panel that records calls. */
class FakePanel {
  readonly node = document.createElement('div');
  readonly focusedFields: string[] = [];
  disposals = 0;

  focusField(field: string): void {
    this.focusedFields.push(field);
  }

  dispose(): void {
    this.disposals++;
  }
}

function createLazyPanel(loads: (() => Promise<unknown>)[]) {
  const asked: number[] = [];
  const frame = new LazyPanel('ModelArts instance', () => {
    asked.push(asked.length);
    return (
      loads[asked.length - 1] ?? (() => Promise.reject(new Error('once too often')))
    )() as Promise<Panel>;
  });
  panels.push(frame);
  return { frame, asked };
}

const panels: LazyPanel[] = [];

afterEach(() => {
  panels.splice(0).forEach((each) => {
    each.dispose();
  });
});

describe('the lazy panel', () => {
  it('is loaded once, when it is first shown', async () => {
    const stub = new FakePanel();
    const { frame, asked } = createLazyPanel([() => Promise.resolve(stub)]);
    frame.hide();
    Widget.attach(frame, document.body);
    expect(asked).toEqual([]);
    frame.show();
    await flushPromises();
    frame.hide();
    frame.show();
    await frame.focusField('description');
    expect(asked).toHaveLength(1);
    expect(frame.node.contains(stub.node)).toBe(true);
    expect(stub.focusedFields).toEqual(['description']);
  });

  it('is loaded at once if it is visible', async () => {
    const stub = new FakePanel();
    const { frame } = createLazyPanel([() => Promise.resolve(stub)]);
    Widget.attach(frame, document.body);
    await flushPromises();
    expect(frame.node.contains(stub.node)).toBe(true);
  });

  it('is loaded again after an error', async () => {
    const stub = new FakePanel();
    const away = () => Promise.reject(new Error('Loading chunk 746 failed.'));
    const { frame } = createLazyPanel([away, () => Promise.resolve(stub)]);
    Widget.attach(frame, document.body);
    await flushPromises();
    frame.hide();
    frame.show();
    await flushPromises();
    expect(frame.node.contains(stub.node)).toBe(true);
  });

  it('disposes of a panel that is still loading', async () => {
    const stub = new FakePanel();
    const { frame } = createLazyPanel([() => Promise.resolve(stub)]);
    Widget.attach(frame, document.body);
    frame.dispose();
    frame.dispose();
    await flushPromises();
    expect(stub.disposals).toBeGreaterThan(0);
    expect(document.body.contains(stub.node)).toBe(false);
  });
});
