/** Finds the cells of the notebook that is in front, when it is opened and when its cell has ended. */

import type { JupyterFrontEnd } from '@jupyterlab/application';
import type { IDocumentManager } from '@jupyterlab/docmanager';
import type { RecordedCell, RecordOffers } from './records';

type DocumentContext = NonNullable<ReturnType<IDocumentManager['contextForWidget']>>;

/** The notebook that belongs to a record is written in this time after the cell has ended. */
const COMPLETION_MS = 5_000;

/** Check each notebook when it comes to the front, and again when a cell that was running then has ended. */
export function watchNotebooks(
  shell: JupyterFrontEnd.IShell,
  documents: IDocumentManager,
  offers: RecordOffers,
): void {
  const seen = new WeakSet();
  const check = (): void => {
    const context = shell.currentWidget && documents.contextForWidget(shell.currentWidget);
    if (!context || seen.has(context) || !cellsOf(context)) {
      return;
    }
    seen.add(context);
    void context.ready.then(async () => {
      await context.sessionContext.ready.catch(() => undefined);
      await offers.check(cellsOf(context) ?? []);
      checkAfterRunningCell(context, offers);
    });
  };
  shell.currentChanged?.connect(check);
  check();
}

function checkAfterRunningCell(context: DocumentContext, offers: RecordOffers): void {
  const kernel = context.sessionContext.session?.kernel;
  if (kernel?.status !== 'busy') {
    return;
  }
  const onStatus = (): void => {
    if (kernel.status === 'busy') {
      return;
    }
    kernel.statusChanged.disconnect(onStatus);
    window.setTimeout(() => void offers.check(cellsOf(context) ?? []), COMPLETION_MS);
  };
  kernel.statusChanged.connect(onStatus);
}

/** Return the cells of a notebook; `null` for another document. */
function cellsOf(context: DocumentContext): Iterable<RecordedCell> | null {
  const { cells } = context.model as { cells?: Iterable<RecordedCell> };
  return cells && Symbol.iterator in cells ? cells : null;
}
