import type { JupyterFrontEnd } from '@jupyterlab/application';
import { Signal } from '@lumino/signaling';
import { Widget } from '@lumino/widgets';
import { expect, it } from 'vitest';
import { onFirstDocument } from '../../src/records/first-document';
import { flushPromises } from '../fakes';

it('loads with the first document, and with the next one if that has failed', async () => {
  const [launcher, document] = [new Widget(), new Widget()];
  const sender = { currentWidget: launcher };
  const changed = new Signal<object, unknown>(sender);
  const shell = {
    get currentWidget() {
      return sender.currentWidget;
    },
    currentChanged: changed as unknown as NonNullable<JupyterFrontEnd.IShell['currentChanged']>,
  };
  const show = async (widget: Widget): Promise<void> => {
    sender.currentWidget = widget;
    changed.emit(null);
    await flushPromises();
  };
  const results = [Promise.reject(new Error('Loading chunk 857 failed.')), Promise.resolve()];
  let loads = 0;
  onFirstDocument(
    shell,
    (widget) => widget === document,
    () => results[loads++] ?? Promise.resolve(),
  );
  await show(launcher);
  expect(loads).toBe(0);
  await show(document);
  expect(loads).toBe(1);
  await show(document);
  await show(document);
  expect(loads).toBe(2);
});
