// What a schema finds wrong, in the words of the API: the field, and what is known.
import type { FastifySchemaValidationError } from 'fastify';
import { SilverlodeError } from '../../errors.js';

/** What ajv tells of a fault; the schema around it comes with its option `verbose`. */
interface Fault extends FastifySchemaValidationError {
  parentSchema?: { properties?: object };
}

const LIMITS: readonly string[] = ['maximum', 'maxLength', 'maxItems', 'maxProperties'];

/**
 * The error that the caller gets.
 *
 * @param errors As ajv gives them: alternatives that do not fit come first, the choice among them last.
 * @param part Of the request: `body`, `params`, …
 * @returns `LIMIT_EXCEEDED` or `INVALID_ARGUMENT` with `field`.
 */
export function schemaError(errors: readonly FastifySchemaValidationError[], part: string): SilverlodeError {
  const fault = mostSpecific(errors as readonly Fault[]);
  if (fault === undefined) return new SilverlodeError('INVALID_ARGUMENT', `the ${part} does not fit its schema`);
  const { keyword, instancePath, params, message = 'does not fit', parentSchema } = fault;
  const place = instancePath === '' ? `the ${part}` : instancePath.slice(1);
  if (keyword === 'additionalProperties') {
    const field = String(params.additionalProperty);
    const known = Object.keys(parentSchema?.properties ?? {}).join(', ');
    return new SilverlodeError('INVALID_ARGUMENT', `${place} has an unknown field '${field}'; known: ${known}`, {
      field,
    });
  }
  const field = keyword === 'required' ? String(params.missingProperty) : instancePath.split('/').at(-1) || part;
  const code = LIMITS.includes(keyword) ? 'LIMIT_EXCEEDED' : 'INVALID_ARGUMENT';
  const allowed = keyword === 'enum' ? `: ${(params.allowedValues as unknown[]).join(', ')}` : '';
  return new SilverlodeError(code, `${place} ${message}${allowed}`, { field });
}

/** The fault that lies deepest, since the alternative that fits best is the one that was meant. */
function mostSpecific(errors: readonly Fault[]): Fault | undefined {
  const depth = ({ instancePath }: Fault) => instancePath.split('/').length;
  const parts = errors.filter(({ keyword }) => keyword !== 'anyOf');
  const candidates = parts.length > 0 ? parts : errors;
  return candidates.reduce<Fault | undefined>(
    (best, fault) => (best === undefined || depth(fault) > depth(best) ? fault : best),
    undefined,
  );
}

/** What a compiled schema found last; ajv leaves it on the function. */
export function faultsOf(validate: object): readonly FastifySchemaValidationError[] {
  return (validate as { errors?: FastifySchemaValidationError[] | null }).errors ?? [];
}
