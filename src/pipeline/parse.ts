import type { Pipeline } from '../definition.ts'
import { pipelineSchema } from './schema.ts'
import { readYaml } from './yaml.ts'

/**
 * Reads a pipeline's YAML.
 * @param file how messages name it: `FILE:LINE: what; what to do`.
 * @throws {AppError} unprocessable, one line and one entry of `details.problems` for every problem.
 */
export function parsePipeline(name: string, text: string, file: string): Pipeline {
  return { name, ...readYaml(text, file, pipelineSchema) }
}
