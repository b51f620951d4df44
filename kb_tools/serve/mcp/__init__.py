"""The knowledge base for agents, by the Model Context Protocol: tools, resources, a prompt. All only read."""
