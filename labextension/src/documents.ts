/** The dirty documents of this tab, by way of Jupyter's document manager. */

import type { JupyterFrontEnd } from '@jupyterlab/application';
import type { IDocumentManager } from '@jupyterlab/docmanager';
import type { Contents } from '@jupyterlab/services';
import type { DirtyDocument, Obstacle } from './saver';

type Context = NonNullable<ReturnType<IDocumentManager['contextForWidget']>>;

/** A file system's idea of when it was written may be off by this much. */
const MARGIN_MS = 500;

/** The documents that are dirty now, each once, however many views it has. */
export function dirtyDocuments(
  shell: JupyterFrontEnd.IShell,
  documents: IDocumentManager,
): readonly DirtyDocument[] {
  const contexts = new Set<Context>();
  for (const widget of shell.widgets('main')) {
    const context = documents.contextForWidget(widget);
    if (context?.model.dirty) {
      contexts.add(context);
    }
  }
  return [...contexts].map((context) => ({
    path: context.path,
    obstacle: () => obstacle(context, documents.services.contents),
    save: () => context.save(),
  }));
}

/** Saving would ask a person something, and so wait for ever, in these cases. */
async function obstacle(context: Context, contents: Contents.IManager): Promise<Obstacle | null> {
  const known = context.contentsModel;
  if (!known) {
    return 'never-named';
  }
  if (!known.writable) {
    return 'read-only';
  }
  try {
    const onDisk = await contents.get(context.path, { content: false, hash: true });
    return differs(known, onDisk) ? 'changed-on-disk' : null;
  } catch (error) {
    // Gone from the disk: saving writes it anew, and asks nothing.
    if ((error as { response?: Response }).response?.status === 404) {
      return null;
    }
    throw error;
  }
}

type Stamped = Pick<Contents.IModel, 'hash' | 'last_modified'>;

function differs(known: Stamped, onDisk: Stamped): boolean {
  if (known.hash && onDisk.hash) {
    return known.hash !== onDisk.hash;
  }
  const since = Date.parse(onDisk.last_modified) - Date.parse(known.last_modified);
  return since > MARGIN_MS;
}
