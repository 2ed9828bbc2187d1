"""The server: applications under uvicorn. Imports nothing: FastAPI is needed for scenarios only."""
