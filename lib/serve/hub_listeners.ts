import type { HubEvents } from './hub_options.js';
import type { ModelHub } from './model_hub.js';

type Event = keyof HubEvents;

/** What to call for which event of a hub. */
export type HubListeners = { readonly [event in Event]?: (...args: HubEvents[event]) => void };

/** @returns Takes the listeners away again. */
export function listenTo(hub: ModelHub, listeners: HubListeners): () => void {
  const all = Object.entries(listeners) as [Event, () => void][];
  for (const [event, listener] of all) hub.on(event, listener);
  return () => {
    for (const [event, listener] of all) hub.off(event, listener);
  };
}
