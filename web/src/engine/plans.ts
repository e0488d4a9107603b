import { openRecords } from '../records';
import type { LoadSettings } from './protocol';

/** Plans by what they were measured on. */
type KnownPlans = Record<string, string>;

/** Where the plan of a GPU's products comes from; `PlanChoice` of crates/inshore-model. */
export type PlanChoice = 'ruleOfThumb' | 'tunedAnew' | { tuned: KnownPlans } | { fixed: string };

/** What was measured on what: adapter, shapes and version of inshore. */
export interface MeasuredPlan {
  key: string;
  plan: string;
}

const records = openRecords<KnownPlans>('inshore-gpu-plans', 'plans');
const ALL = 'all';

/** What `settings` ask for, with what this browser measured before. */
export async function planChoice({
  gpuPlan,
  tune = 'auto',
}: Pick<LoadSettings, 'gpuPlan' | 'tune'>): Promise<PlanChoice> {
  if (gpuPlan !== undefined) return { fixed: gpuPlan };
  if (tune === 'auto') return { tuned: await knownPlans() };
  return tune === 'always' ? 'tunedAnew' : 'ruleOfThumb';
}

/** Keeps a plan for the next load. Of two tabs that measure at once the later one wins. */
export async function rememberPlan({ key, plan }: MeasuredPlan): Promise<void> {
  await records.put(ALL, { ...(await knownPlans()), [key]: plan });
}

/** Without what is not a plan, should the record be damaged: it must not keep a model from being loaded. */
async function knownPlans(): Promise<KnownPlans> {
  const kept = Object.entries((await records.get(ALL)) ?? {});
  return Object.fromEntries(kept.filter(([, plan]) => typeof plan === 'string'));
}
