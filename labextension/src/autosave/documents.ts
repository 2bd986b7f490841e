/** The dirty documents of this tab, by way of Jupyter's document manager. */

import type { JupyterFrontEnd } from '@jupyterlab/application';
import { PathExt } from '@jupyterlab/coreutils';
import type { IDocumentManager } from '@jupyterlab/docmanager';
import type { Contents } from '@jupyterlab/services';
import type { DirtyDocument, Obstacle } from './autosave';

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
    key: context,
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
    if (isAbsent(error)) {
      return lacksFolder(context.path, contents);
    }
    throw error;
  }
}

/** Gone from the disk: saving writes it anew and asks nothing, as long as there is a place for it. */
async function lacksFolder(path: string, contents: Contents.IManager): Promise<Obstacle | null> {
  try {
    await contents.get(PathExt.dirname(path), { content: false });
    return null;
  } catch (error) {
    if (isAbsent(error)) {
      return 'no-folder';
    }
    throw error;
  }
}

function isAbsent(error: unknown): boolean {
  return (error as { response?: Response }).response?.status === 404;
}

type Stamped = Pick<Contents.IModel, 'hash' | 'last_modified'>;

function differs(known: Stamped, onDisk: Stamped): boolean {
  if (known.hash && onDisk.hash) {
    return known.hash !== onDisk.hash;
  }
  const since = Date.parse(onDisk.last_modified) - Date.parse(known.last_modified);
  return since > MARGIN_MS;
}
