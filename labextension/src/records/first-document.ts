/** Waits for the first document, with which the code of the folder is loaded. */

import type { JupyterFrontEnd } from '@jupyterlab/application';
import type { Widget } from '@lumino/widgets';

/** Call `load` when a document is in front; if it fails, again when the next one is. */
export function onFirstDocument(
  shell: Pick<JupyterFrontEnd.IShell, 'currentWidget' | 'currentChanged'>,
  isDocument: (widget: Widget) => boolean,
  load: () => Promise<void>,
): void {
  const check = (): void => {
    if (!shell.currentWidget || !isDocument(shell.currentWidget)) {
      return;
    }
    shell.currentChanged?.disconnect(check);
    load().catch(() => {
      // The server may be reachable the next time.
      shell.currentChanged?.connect(check);
    });
  };
  shell.currentChanged?.connect(check);
  check();
}
