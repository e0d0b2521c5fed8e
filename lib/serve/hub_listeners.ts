import type { HubEvents, ModelHub } from './model_hub.js';

/** What to call for which event of a hub. */
export type HubListeners = { readonly [event in keyof HubEvents]?: (...args: HubEvents[event]) => void };

/** @returns Takes the listeners away again. */
export function listenTo(hub: ModelHub, { run, version, refused }: HubListeners): () => void {
  if (run) hub.on('run', run);
  if (version) hub.on('version', version);
  if (refused) hub.on('refused', refused);
  return () => {
    if (run) hub.off('run', run);
    if (version) hub.off('version', version);
    if (refused) hub.off('refused', refused);
  };
}
